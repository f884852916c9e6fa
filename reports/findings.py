"""Finding cards: each failure condition with its numbers, its evidence and the command that shows it again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from reports import figures, words
from reports.levels import parse_contrast
from reports.numbers import count, difference, interval, number, small_p
from reports.pairs import Comparison, Pair, choose, pairs_by_block
from reports.run_record import RunRecord, without_home
from reports.scene_views import MISTAKEN, TRUE, Gallery, SceneView
from scenes.design import OBJECT

MAX_CARDS = 15
_FACTS = {  # task -> metrics printed beneath every example
    "proximity": ("sensor_miss", "sensor_false_alarm"),
    words.CLASSIFICATION: ("target_probability", "logit_margin"),
}
_SAID = {words.CLASSIFICATION: ("top1", "top5")}  # what an example's answer says anyway
_LISTED = 4  # other factors that an example names; more are not named where they are at control
_BAR_WIDTH, _SMALL_BAR_WIDTH = 340, 200


@dataclass(frozen=True)
class Example:
    """One block seen twice: under the failing levels and under their control, everything else equal."""

    heading: str
    scene: SceneView
    control: SceneView


@dataclass(frozen=True)
class Card:
    """A failure condition as shown. facts: (term, value) pairs."""

    anchor: str
    finding_id: str
    rank: int
    model: str
    metric: words.Metric
    sentence: str
    condition: str
    control: str
    effect: str
    interval: str
    bar: Markup
    small_bar: Markup
    facts: tuple[tuple[str, str], ...]
    expectation: str  # what the training recipe says of it
    is_unexpected: bool
    ranked: bool
    usable: str
    examples: tuple[Example, ...]
    reproduce: str


def cards(record: RunRecord, gallery: Gallery) -> list[Card]:
    """At most MAX_CARDS findings over all models, worst first; those of models unfit at control last."""
    rows = shown(record)
    axes = _axes(record, rows)
    taken: set[str] = set()
    out = []
    for rank, (_, row) in enumerate(rows.iterrows(), start=1):
        out.append(_card(record, gallery, row, rank, axes[words.metric(str(row["metric"])).percent], taken))
    return out


def shown(record: RunRecord) -> pd.DataFrame:
    """The rows of the failures table that get a card."""
    failures = record.frame("failures")
    by = ["ranked", "severity", "model", "rank"]
    return failures.sort_values(by, ascending=[False, False, True, True], kind="stable").head(MAX_CARDS)


def hidden(record: RunRecord) -> list[Mapping[str, str]]:
    """The findings beyond the cards, one line each."""
    rest = record.frame("failures").drop(shown(record).index)
    rest = rest.sort_values(["ranked", "severity", "model", "rank"], ascending=[False, False, True, True])
    return [
        {
            "id": str(row["finding_id"]),
            "model": str(row["model"]),
            "metric": words.metric(str(row["metric"])).title,
            "condition": str(row["condition"]),
            "effect": difference(row["effect"], words.metric(str(row["metric"])).percent),
            "interval": interval(row["ci_low"], row["ci_high"], words.metric(str(row["metric"])).percent),
        }
        for _, row in rest.iterrows()
    ]


def _card(
    record: RunRecord,
    gallery: Gallery,
    row: pd.Series,
    rank: int,
    axis: tuple[figures.Axis, figures.Axis],
    taken: set[str],
) -> Card:
    known, effect = words.metric(str(row["metric"])), _effect_row(record, row)
    margin = float(effect["margin"]) if effect is not None else float("nan")
    numbers = (row["effect"], row["ci_low"], row["ci_high"], margin)
    anchor = str(row["finding_id"])
    while anchor in taken:
        anchor += "-b"
    taken.add(anchor)
    total = int(effect["n"]) if effect is not None else int(row["usable_n"])
    return Card(
        anchor=anchor,
        finding_id=str(row["finding_id"]),
        rank=rank,
        model=str(row["model"]),
        metric=known,
        sentence=str(row["sentence"]) or _sentence(row, known),
        condition=str(row["condition"]),
        control=str(row["control"]),
        effect=difference(row["effect"], known.percent),
        interval=interval(row["ci_low"], row["ci_high"], known.percent),
        bar=figures.effect_bar(*numbers, axis[0], known.percent),
        small_bar=figures.effect_bar(*numbers, axis[1], known.percent, labelled=False),
        facts=tuple(_facts(row, effect, known)),
        expectation=_expectation(record, row),
        is_unexpected=bool(record.model(str(row["model"])).get("recipe")) and not row["expected"],
        ranked=bool(row["ranked"]),
        usable=count(int(row["usable_n"]), total),
        examples=tuple(_examples(record, gallery, row, effect, known)),
        reproduce=without_home(str(row["reproduce"])),
    )


def _facts(row: pd.Series, effect: pd.Series | None, known: words.Metric) -> list[tuple[str, str]]:
    facts = [
        (f"mean at {row['condition']}", number(row["level_mean"], known.percent)),
        (f"mean at {row['control']}", number(row["control_mean"], known.percent)),
    ]
    if effect is not None:
        simple = difference(effect["simple_effect"], known.percent)
        simple += " " + interval(effect["simple_low"], effect["simple_high"], known.percent)
        facts.append(("effect, all other factors at control", simple))
        if int(effect["order"]) > 1 and not math.isnan(effect["excess"]):
            excess = difference(effect["excess"], known.percent)
            excess += " " + interval(effect["excess_low"], effect["excess_high"], known.percent)
            on_object = OBJECT in parse_contrast(str(row["condition"]))
            facts.append(
                ("beyond the mean of the other objects" if on_object else "beyond the sum of each alone", excess)
            )
        facts.append(("criterion's margin", number(effect["margin"], known.percent)))
        facts.append((f"q (p {small_p(effect['p'])}, {words.reason(str(effect['test']))} test)", small_p(row["q"])))
        facts.append(("usable blocks", f"{int(row['usable_n'])} of {int(effect['n'])}"))
    else:
        facts += [("q", small_p(row["q"])), ("usable blocks", str(int(row["usable_n"])))]
    facts.append(("severity (lower bound over margin)", f"{row['severity']:.1f}"))
    return facts


def _examples(
    record: RunRecord, gallery: Gallery, row: pd.Series, effect: pd.Series | None, known: words.Metric
) -> list[Example]:
    model, method = str(row["model"]), str(row["method"])
    region = "-" if method == "-" else "object" if effect is None else str(effect["region"])
    levels, partner = parse_contrast(str(row["condition"])), parse_contrast(str(row["control"]))
    pairs = pairs_by_block(record, Comparison(model, known.name, method, region, levels, partner))
    own = (known.name,) if method == "-" and known.name not in _SAID.get(record.task, ()) else ()
    metrics = tuple(dict.fromkeys([*own, *_FACTS.get(record.task, ())]))
    target = MISTAKEN if known.name.startswith(("sensor_false_alarm", "scene_false_alarm")) else TRUE
    out = []
    for block, why in choose(pairs, str(row["example_blocks"]).split()):
        pair = pairs[block]
        out.append(
            Example(
                heading=_heading(record, row, block, pair, why),
                scene=gallery.example(model, pair.cell, str(row["condition"]), metrics, target),
                control=gallery.example(model, pair.control, f"control: {row['control']}", metrics, target),
            )
        )
    return out


def _heading(record: RunRecord, row: pd.Series, block: str, pair: Pair, why: str) -> str:
    others = {f: str(pair.cell[f]) for f in record.levels if f not in parse_contrast(str(row["condition"]))}
    both = f"; in both pictures {words.condition(others)}" if others else ""
    if len(others) > _LISTED and all(v == record.control[f] for f, v in others.items()):
        both = "; in both pictures all other factors at control"
    if record.objects:
        return f"{words.capital(words.block(block))}: {why}{both}"
    distance = pair.cell["distance_m"]
    what = f"{pair.cell['shape']} at {100 * distance:.0f} cm" if not math.isnan(distance) else "no obstacle"
    return f"Block {block} ({pair.cell['stratum']}, {what}), {why}{both}"


def _expectation(record: RunRecord, row: pd.Series) -> str:
    if not record.model(str(row["model"])).get("recipe"):
        return "no training recipe declared"
    outside = "outside the training recipe: to be expected"
    return outside if row["expected"] else "inside the training recipe: not to be expected"


def _effect_row(record: RunRecord, row: pd.Series) -> pd.Series | None:
    effects = record.frame("effects")
    same = (effects["model"] == row["model"]) & (effects["metric"] == row["metric"])
    same &= (effects["method"] == row["method"]) & (effects["contrast"] == row["condition"])
    found = effects[same].sort_values("is_failure", ascending=False, kind="stable")
    return found.iloc[0] if len(found) else None


def _axes(record: RunRecord, rows: pd.DataFrame) -> dict[bool, tuple[figures.Axis, figures.Axis]]:
    """Whether in percent -> a long and a short axis; all shares stand on one, so that their bars compare."""
    out = {}
    for percent in (True, False):
        ends = [
            (r["effect"], r["ci_low"], r["ci_high"], _margin(record, r))
            for _, r in rows.iterrows()
            if words.metric(str(r["metric"])).percent == percent
        ]
        out[percent] = (figures.effect_axis(ends, _BAR_WIDTH), figures.effect_axis(ends, _SMALL_BAR_WIDTH))
    return out


def _margin(record: RunRecord, row: pd.Series) -> float:
    effect = _effect_row(record, row)
    return float(effect["margin"]) if effect is not None else float("nan")


def _sentence(row: pd.Series, known: words.Metric) -> str:
    at, control = number(row["level_mean"], known.percent), number(row["control_mean"], known.percent)
    change = f"{difference(row['effect'], known.percent)} {interval(row['ci_low'], row['ci_high'], known.percent)}"
    return f"{known.title} is {at} at {row['condition']} and {control} at {row['control']} ({change} worse)."
