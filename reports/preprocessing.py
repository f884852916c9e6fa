"""Is a network fed what it was trained on? The same scenes, fed otherwise, in words."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from reports import words
from reports.numbers import difference, interval, number
from reports.run_record import RunRecord

CONFIGURED = "configured"
_TITLES = {
    "cell_order": "cells in the right order",
    "reciprocal_rank": "reciprocal rank of the right class",
}
_PICTURES = {"rendered": "as rendered", "warm": "in warm light"}
_NOT_PERCENT = ("reciprocal_rank",)
_KINDS = {  # what each variant is, in words
    "configured": "as configured",
    "channels=bgr": "red and blue exchanged (BGR)",
    "channels=rgb": "red and blue exchanged (RGB)",
    "normalisation=per_image": "normalised per image",
    "normalisation=imagenet": "ImageNet's mean and deviation",
    "normalisation=unit": "plain [0, 1]",
    "normalisation=symmetric": "scaled to [−1, 1]",
    "resize": "another resize kernel",
}


@dataclass(frozen=True)
class FeedingRow:
    """One variant on one score. first, span: of the variant's rows; kind: css class of the verdict, '' for none."""

    variant: str
    setting: tuple[str, ...]
    first: bool
    span: int
    flipped: str
    score: str
    is_judge: bool
    mean: str
    gain: str
    interval: str
    verdict: str
    kind: str
    icon: str
    reason: str


@dataclass(frozen=True)
class FeedingTable:
    """Of one model. sentence: what was found; is_fit: whether it is fed best as configured; size: what it rests on."""

    sentence: str
    is_fit: bool
    rows: tuple[FeedingRow, ...]
    size: str
    has_warm: bool


def feeding_table(record: RunRecord, model: str) -> FeedingTable | None:
    """The model's variants, the configured first; None where none was tried."""
    frame = record.frame("preprocessing")
    frame = frame[frame["model"] == model]
    judged = frame[frame["is_judge"]]
    if not len(judged):
        return None
    variants = sorted(set(frame["variant"]), key=lambda v: (v != CONFIGURED, v == "resize", v))
    own = judged[judged["variant"] == CONFIGURED].iloc[0]
    rows = tuple(row for v in variants for row in _rows(frame[frame["variant"] == v]))
    size = f"{int(own['scenes'])} scenes, the judging score defined in {int(own['blocks'])} blocks"
    return FeedingTable(_sentence(model, judged), _is_fit(judged), rows, size, "warm" in set(frame["pictures"]))


def warning(record: RunRecord, model: str) -> str:
    """What stands at the top of the page where another feeding is better; '' where none is."""
    frame = record.frame("preprocessing")
    judged = frame[(frame["model"] == model) & frame["is_judge"]]
    return "" if _is_fit(judged) else _sentence(model, judged)


def _is_fit(judged: pd.DataFrame) -> bool:
    return not len(judged[judged["is_best"] & (judged["variant"] != CONFIGURED)])


def _sentence(model: str, judged: pd.DataFrame) -> str:
    others = judged[judged["variant"] != CONFIGURED]
    best = others[others["is_best"]]
    if len(best):
        row = best.iloc[0]
        percent = row["metric"] not in _NOT_PERCENT
        gain = f"{difference(row['difference'], percent)} {interval(row['ci_low'], row['ci_high'], percent)}"
        setting = typed(model, str(row["setting"]))
        return (
            f"{model} does better fed otherwise than configured: with {setting} the score '{_title(row)}'"
            f" changes by {gain}, and {number(row['flipped'])} of its decisions flip."
        )
    undecided = [_variant(v) for v in others.loc[~others["is_worse"], "variant"]]
    if not undecided:
        return f"{model} is fed best as configured: all {len(others)} other ways to feed it do worse."
    worse = len(others) - len(undecided)
    told = f"{worse} of {len(others)} other ways do worse; " if worse else ""
    rest = f"{told}no difference is shown for {', '.join(undecided)}"
    return f"Nothing is shown to feed {model} better than configured: {rest}."


def typed(model: str, setting: str) -> str:
    """A setting as it is typed behind `run`, where several models may be chosen."""
    return " ".join(f"models.{model}.{word}" for word in setting.split())


def _rows(frame: pd.DataFrame) -> list[FeedingRow]:
    """One variant: first the score it is judged by."""
    held = frame.sort_values(["is_judge", "pictures", "metric"], ascending=[False, True, True], kind="stable")
    return [_row(row, i == 0, len(held)) for i, (_, row) in enumerate(held.iterrows())]


def _row(row: pd.Series, first: bool, span: int) -> FeedingRow:
    metric = words.metric(str(row["metric"]))
    percent = row["metric"] not in _NOT_PERCENT if row["metric"] in _TITLES else metric.percent
    is_own = row["variant"] == CONFIGURED
    verdict, kind, icon = _verdict(row)
    has_interval = not is_own and row["ci_low"] == row["ci_low"]
    return FeedingRow(
        variant=_variant(str(row["variant"])),
        setting=tuple(typed(str(row["model"]), str(row["setting"])).split()),
        first=first,
        span=span,
        flipped="–" if is_own or row["scenes"] == 0 else number(row["flipped"]),
        score=_title(row),
        is_judge=bool(row["is_judge"]),
        mean=number(row["mean"], percent),
        gain="–" if is_own else difference(row["difference"], percent),
        interval=interval(row["ci_low"], row["ci_high"], percent) if has_interval else "",
        verdict=verdict,
        kind=kind,
        icon=icon,
        reason=str(row["reason"]),
    )


def _variant(name: str) -> str:
    return " and ".join(_KINDS.get(v, v.replace("=", " ")) for v in name.split(" "))


def _title(row: pd.Series) -> str:
    name = str(row["metric"])
    title = _TITLES.get(name, words.metric(name).title)
    return f"{title} {_PICTURES[row['pictures']]}" if row["pictures"] != "rendered" else title


def _verdict(row: pd.Series) -> tuple[str, str, str]:
    if row["variant"] == CONFIGURED or not row["is_judge"]:
        return "", "", ""
    if row["is_better"]:
        return "better", "bad", "icon-warn"
    return ("worse", "good", "icon-pass") if row["is_worse"] else ("no difference shown", "", "")
