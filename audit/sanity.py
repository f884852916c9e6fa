"""The randomisation checks of Adebayo et al. 2018 ('Sanity checks for saliency maps', section 3): a map that stays as
it is when weights are taken away says nothing of what the network has learned.

Layers are randomised in steps from the output to the input, cumulatively (cascading) and one step at a time
(independent), and each map is compared with that of the network as it is, by rank correlation and structural
similarity. Every scene has draws of weights of its own, so that the interval over blocks holds the draw as well.

Three things differ from the paper, each for a measured reason (SqueezeNet 1.0 with its published weights, 12 scenes):
- The verdict rests on the cascade's mean, not on its end. At the end the first layer is random too, and takes with it
  the edges that guided backpropagation shows: .48 there, a pass, and .70 over the cascade (gradients: .36 and .37).
- A twin is compared only where it answers the target at least as its middle output, else another is drawn, four times
  at most. SqueezeNet ends in a rectifier: of fresh weights a third of the outputs are dead and others nearly so, and
  the map of one that is on in a few places is another for no merit of the method: guided backpropagation .51 on
  average, anything from .0 to .8 by draw; .70 where the twin answers. To follow the rank of the output rather than its
  number would be no way out: the maps of a random network's top outputs show where activations are large, and Grad-CAM
  would fail with .69, where it has .39.
- It rests on maps as they are read, with their sign. Absolute values of smooth maps are alike wherever the object is
  in the middle (Grad-CAM .5). They are in the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from audit.analysis.earned import USABLE
from audit.analysis.intervals import Intervals, mean_intervals
from audit.attention.likeness import rank_correlation, structural_similarity
from audit.attribution import attribute
from audit.config import AttributionConfig
from audit.metrics.arrays import Floats, Mask, Pixels, Singles
from audit.models.adapter import Adapter
from audit.models.randomised import drawn_anew, layers_from, layers_in_order, steps_from_output, twin_of
from audit.tables import SANITY, SANITY_VERDICT

CASCADING, INDEPENDENT = "cascading", "independent"
MEASURES = ("rank_correlation", "rank_correlation_absolute", "ssim")
DRAWS = 4  # of weights for a scene, at most
ASLEEP, NOT_ASKED = "asleep_target", "not_asked"
UNDEFINED = {  # SANITY.undefined_reason, and what a verdict says of it
    "nan_map": "a map is not a number",
    "constant_map": "a map is the same everywhere",
    ASLEEP: "the randomised network hardly answers",
}
FAILS = "fails the randomisation check"
Part = tuple[str, int, tuple[str, ...]]  # randomisation, number of the step, layers
_EVERY = 2  # of how many scenes one also sees its steps randomised alone, which costs as much and decides nothing
_DIGITS = 6  # the last bits of a mean depend on where memory lies
_BOUNDS = (-1.0, 1.0)


@dataclass(frozen=True)
class Compared:
    """One network's maps against those of its randomised twins, on N scenes.

    steps: the layers of each of K steps, that at the output first. likeness: (method, randomisation) -> (K, 3, N), the
    three MEASURES, NaN where a map says nothing. reasons: of the same, (K, N) text, '' where it is a number.
    other_scenes: method -> (N - 1,) rank correlation of the network's own maps of a scene and of the next. block (N,).
    """

    model: str
    methods: tuple[str, ...]
    steps: tuple[tuple[str, ...], ...]
    likeness: Mapping[tuple[str, str], Floats]
    reasons: Mapping[tuple[str, str], npt.NDArray[np.object_]]
    other_scenes: Mapping[str, Floats]
    block: npt.NDArray[np.str_]


def compared(
    adapter: Adapter,
    images: Sequence[Pixels],
    target: Mask,
    blocks: Sequence[str],
    seeds: Sequence[Sequence[int]],
    methods: Sequence[str],
    settings: AttributionConfig,
) -> Compared:
    """Randomise `adapter` step by step and compare its maps.

    images: N of uint8 RGB (H, W, 3). target: (N, K) bool as `attribute` takes it, the same outputs of every network.
    blocks: N, the block of a scene. seeds: N times those of the weights that may be drawn for it, in their order.
    """
    maps = attribute(adapter, images, target, methods, settings.batch, settings.settings, settings.gradient_at)
    steps = steps_from_output(layers_in_order(adapter), settings.sanity.stages)
    shape = (len(steps), len(MEASURES), len(images))
    kinds = [(method, kind) for method in methods for kind in (CASCADING, INDEPENDENT)]
    likeness = {key: np.full(shape, np.nan) for key in kinds}
    reasons = {
        key: np.full((shape[0], shape[2]), "" if key[1] == CASCADING else NOT_ASKED, dtype=object) for key in kinds
    }
    for scene, draws in enumerate(seeds):
        own, parts = slice(scene, scene + 1), _parts(steps, scene % _EVERY == 0)
        for kind, k, found in _twins(adapter, images[own], target[own], parts, draws, methods, settings):
            for method in methods:
                why = _undefined(maps[method][scene]) or (ASLEEP if found is None else _undefined(found[method][0]))
                reasons[method, kind][k, scene] = why
                if found is not None:
                    likeness[method, kind][k, :, own] = _alike(maps[method][own], found[method])
    for method in methods:  # the first step alone is the cascade's first
        likeness[method, INDEPENDENT][0, :, ::_EVERY] = likeness[method, CASCADING][0, :, ::_EVERY]
        reasons[method, INDEPENDENT][0, ::_EVERY] = reasons[method, CASCADING][0, ::_EVERY]
    others = {m: _alike(maps[m][:-1], maps[m][1:])[0] for m in methods}
    return Compared(adapter.name, tuple(methods), tuple(steps), likeness, reasons, others, np.array(blocks))


def sanity_rows(found: Compared) -> pd.DataFrame:
    """SANITY of one model: a row per method, randomisation and step."""
    rows = []
    for (method, kind), values in found.likeness.items():
        over = [_over_blocks(values[:, i], found.block) for i in range(len(MEASURES))]
        for k, layers in enumerate(found.steps):
            asked = found.reasons[method, kind][k] != NOT_ASKED
            why = sorted({str(reason) for reason in found.reasons[method, kind][k][asked] if reason})
            row = {"model": found.model, "method": method, "randomisation": kind, "position": k + 1}
            row |= {"layers": _spoken(layers), "scenes": int(asked.sum()), "undefined_reason": " ".join(why)}
            row |= {"usable_n": int(np.isfinite(values[k, 0]).sum())}
            for name, interval in zip(MEASURES, over, strict=True):
                row |= {name: interval.mean[k], f"{name}_low": interval.low[k], f"{name}_high": interval.high[k]}
            rows.append(row)
    return _rounded(pd.DataFrame(rows, columns=list(SANITY.columns)))


def verdict_rows(found: Compared, limit: float) -> pd.DataFrame:
    """SANITY_VERDICT of one model: a method fails where its maps are `limit` alike or more, on the cascade's mean."""
    rows = []
    for method in found.methods:
        values = found.likeness[method, CASCADING][:, 0]
        defined = np.isfinite(values)
        over = _over_blocks(_mean_of_defined(values)[None], found.block)
        similarity = float(over.mean[0]) if defined.size and defined.mean() >= USABLE else float("nan")
        others = found.other_scenes[method]
        row = {"model": found.model, "method": method, "passes": similarity < limit, "similarity": similarity}
        low, high = (over.low[0], over.high[0]) if np.isfinite(similarity) else (np.nan, np.nan)
        row |= {"low": low, "high": high, "limit": limit, "scenes": len(found.block)}
        row |= {"blocks": len(set(found.block)), "reason": _reason(found, method, similarity, limit)}
        row |= {"other_scenes": float(np.nanmean(others)) if np.isfinite(others).any() else np.nan}
        rows.append(row)
    return _rounded(pd.DataFrame(rows, columns=list(SANITY_VERDICT.columns)))


def not_checked(model: str, methods: Sequence[str], limit: float, reason: str) -> pd.DataFrame:
    """SANITY_VERDICT of a model that could not be checked: no pass, and no failure."""
    nothing = {c: np.nan for c, kind in SANITY_VERDICT.columns.items() if kind == "float"}
    said = {**nothing, "limit": limit, "passes": False, "scenes": 0, "blocks": 0, "reason": reason}
    rows = [{"model": model, "method": method, **said} for method in methods]
    return pd.DataFrame(rows, columns=list(SANITY_VERDICT.columns))


def _twins(
    adapter: Adapter,
    images: Sequence[Pixels],
    target: Mask,
    parts: Sequence[Part],
    seeds: Sequence[int],
    methods: Sequence[str],
    settings: AttributionConfig,
) -> Iterator[tuple[str, int, Mapping[str, Singles] | None]]:
    """Maps of one picture with all that is randomised in turn: randomisation, step, method -> (1, h, w); None where
    the network then does not answer the target, whatever is drawn."""
    twin, asleep = twin_of(adapter), list(parts)
    for seed in seeds:
        drawn, tried, asleep = drawn_anew(adapter, seed) if asleep else None, asleep, []
        for kind, k, layers in tried if drawn is not None else ():
            with layers_from(drawn, twin, layers):
                if not _answers(twin, images, target):
                    asleep.append((kind, k, layers))
                    continue
                found = attribute(twin, images, target, methods, 1, settings.settings, settings.gradient_at)
            yield kind, k, found
    for kind, k, _ in asleep:
        yield kind, k, None


def _answers(twin: Adapter, images: Sequence[Pixels], target: Mask) -> bool:
    """Whether the target of a picture, the mean of its logits, lies among the upper half of the twin's outputs, and not
    with the lowest."""
    logits = twin.logits(images, 1)[0].astype(np.float64)
    value = logits[target[0]].mean()
    return bool(value >= np.median(logits) and value > logits.min())


def _parts(steps: Sequence[tuple[str, ...]], with_independent: bool) -> list[Part]:
    """What is randomised in turn; not twice what both kinds begin with."""
    cascade = [(CASCADING, k, tuple(layer for step in steps[: k + 1] for layer in step)) for k in range(len(steps))]
    return cascade + [(INDEPENDENT, k, layers) for k, layers in enumerate(steps) if k > 0 and with_independent]


def _alike(maps: Singles, others: Singles) -> Floats:
    """(3, N): the three MEASURES of maps (N, h, w) with others."""
    a, b = torch.from_numpy(np.ascontiguousarray(maps)), torch.from_numpy(np.ascontiguousarray(others))
    signed = rank_correlation(a, b)
    absolute = signed if bool((a >= 0).all() and (b >= 0).all()) else rank_correlation(a.abs(), b.abs())
    return np.stack([values.numpy() for values in (signed, absolute, structural_similarity(a, b))])


def _undefined(values: Singles) -> str:
    """Why a map (h, w) can be compared with none; '' where it can."""
    if not np.isfinite(values).all():
        return "nan_map"
    return "constant_map" if (values == values.flat[0]).all() else ""


def _mean_of_defined(values: Floats) -> Floats:
    """(N,) means of (K, N) over what is defined of K, NaN where nothing is."""
    count = np.isfinite(values).sum(axis=0)
    total = np.where(np.isfinite(values), values, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full(values.shape[1], np.nan), where=count > 0))


def _over_blocks(values: Floats, block: npt.NDArray[np.str_]) -> Intervals:
    """Means with t intervals of (K, N) over blocks, each the mean of its scenes."""
    means = [_mean_of_defined(values[:, block == b].T) for b in sorted(set(block))]
    return mean_intervals(np.stack(means, axis=1) if means else np.empty((len(values), 0)), _BOUNDS)


def _reason(found: Compared, method: str, similarity: float, limit: float) -> str:
    if similarity >= limit:
        return FAILS
    if np.isfinite(similarity):
        return ""
    why = found.reasons[method, CASCADING]
    told = [said for code, said in UNDEFINED.items() if (why == code).any()]
    return f"undefined in {int((why != '').sum())} of {why.size} comparisons: {'; '.join(told)}"


def _spoken(layers: Sequence[str]) -> str:
    """'classifier.1 .. features.12.squeeze'; the network's own loose parameters are '(loose)'."""
    names = [layer or "(loose)" for layer in layers]
    return names[0] if len(names) == 1 else f"{names[0]} .. {names[-1]}"


def _rounded(frame: pd.DataFrame) -> pd.DataFrame:
    numbers = frame.select_dtypes("float").columns
    return frame.assign(**{c: frame[c].round(_DIGITS) for c in numbers})
