"""Writes the page: gathers its parts from a run record and renders the template around them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports import (
    answer_bars,
    arms,
    attention,
    colour_map,
    factor_tables,
    figures,
    findings,
    grids,
    level_tables,
    object_tables,
    preprocessing,
    provenance,
    quality,
    sanity,
    sensor_attention,
    words,
)
from reports.arm_scenes import arm_scenes
from reports.crops import crops
from reports.picture_run import flip_sentence, picture_views
from reports.pictures import Assets
from reports.run_record import RunRecord, read_run
from reports.scene_views import Gallery
from reports.summary import summarise
from reports.trend_charts import legend_mark
from reports.trend_groups import of_run
from scenes.store import Render, Store

Reader = Callable[[str], Render]


def write_report(run_dir: Path, store_root: Path) -> Path:
    """Write `<run_dir>/report/index.html` and its pictures, and return the page's path.

    run_dir: a finished run directory; tables that were not written leave their section out. store_root: the render
    store that holds the scenes' pictures and masks; a scene it no longer holds is named in its place. Equal input gives
    equal bytes. Raises scenes.table.TableError on a table of another schema version.
    """
    record = read_run(run_dir)
    folder = run_dir / "report"
    folder.mkdir(parents=True, exist_ok=True)
    assets = Assets(folder / "assets")
    page = folder / "index.html"
    partial = folder / "index.html.partial"
    partial.write_text(_html(record, Store(store_root).read, assets), encoding="utf-8")
    os.replace(partial, page)
    drop_stale(assets)
    return page


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates; what stands in them from outside is escaped."""
    return Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _html(record: RunRecord, reader: Reader, assets: Assets) -> str:
    templates, shared = environment(), {**_figures(), **_background(record)}
    if record.is_pictures:
        pictures = _pictures(record, Gallery(record, reader, assets))
        return templates.get_template("page.html").render(
            record=record, summary=summarise(record, {}), **pictures, **shared
        )
    sets, tasks = record.scene_sets, {record.task_of(m) for m in record.models}
    parts = {s: (record.part(s), f"{s}-" if len(sets) > 1 else "") for s in sets}
    rendered = [_part(s, own, anchor, Gallery(own, reader, assets), shared) for s, (own, anchor) in parts.items()]
    return templates.get_template("page.html").render(
        record=record,
        summary=summarise(record, parts),
        parts=rendered,
        has_classes=words.CLASSIFICATION in tasks,
        has_proximity=bool(tasks - {words.CLASSIFICATION}) or not tasks,
        **shared,
    )


@dataclass(frozen=True)
class Part:
    """The sections of one scene set. anchor: what their ids begin with, empty where there is one set; contents: (id,
    title) of each."""

    title: str
    short: str
    anchor: str
    contents: tuple[tuple[str, str], ...]
    html: Markup


def _part(scene_set: str, record: RunRecord, anchor: str, gallery: Gallery, shared: Mapping[str, Any]) -> Part:
    title, short = words.scene_set(scene_set)
    sections = _sections(record, gallery)
    contents = [
        ("findings", "Findings"),
        ("factors", "Object by condition" if record.objects and not record.is_sampled else "Factor tables"),
        ("interventions", "Interventions"),
        ("attention", "Attention overlap"),
        ("preprocessing", "Is it fed right?"),
        ("quality", "Prediction quality"),
    ]
    if any(sections["named_tables"].values()):
        contents.insert(1, ("taken-for", "What it was taken for"))
    if any(sections["checkpoints"].values()):
        contents.insert(1, ("checkpoints", "Over checkpoints"))
    if any(sections["crops"].values()):
        contents.insert(contents.index(("preprocessing", "Is it fed right?")), ("crops", "What the maps select"))
    depth = 3 if anchor else 2
    html = (
        environment()
        .get_template("part.html")
        .render(
            record=record,
            anchor=anchor,
            **{f"h{i}": f"h{depth + i - 2}" for i in (2, 3, 4)},
            **sections,
            **shared,
        )
    )
    return Part(title, short, anchor, tuple((f"{anchor}{i}", t) for i, t in contents), Markup(html))


def _sections(record: RunRecord, gallery: Gallery) -> Mapping[str, Any]:
    """Everything of the scenes of one scene set."""
    models = record.models
    overlap = {m: attention.overlap(record, m) for m in models}
    notes = {m: {"relevance_mass_accuracy": _notes(gallery, m)} for m in models}
    tables = object_tables.object_tables if record.objects else factor_tables.factor_tables
    if record.is_sampled or (record.is_one_at_a_time and not record.objects):
        tables = level_tables.level_tables
    return {
        "cards": findings.cards(record, gallery),
        "hidden": findings.hidden(record),
        "tables": {m: tables(record, m, notes[m]) for m in models},
        "partner_note": object_tables.partner_note(record),
        "named_tables": {m: object_tables.named_table(record, gallery, m) for m in models},
        "arm_sentences": {m: arms.sentences(record, m) for m in models},
        "arm_tables": {m: arms.arm_tables(record, m) for m in models},
        "arm_scenes": {m: arm_scenes(record, gallery, m) for m in models},
        "overlap": overlap,
        "undefined_reasons": {m: attention.undefined_reasons(rows) for m, rows in overlap.items()},
        "earned": {m: attention.earned(record, m) for m in models},
        "mass_splits": {m: attention.mass_split(record, m) for m in models},
        "sanity_tables": {m: sanity.sanity_table(record, m) for m in models},
        "insane": {m: sanity.failing(record, m) for m in models},
        "sensor_tables": {m: sensor_attention.sensor_tables(record, m) for m in models},
        "crops": {m: crops(record, gallery, m) for m in models},
        "feedings": {m: preprocessing.feeding_table(record, m) for m in models},
        "checkpoints": {m: of_run(record.frame("history"), record.frame("steps"), m) for m in models},
        "auc_tables": {m: quality.auc_tables(record, m) for m in models},
        "condition_tables": {m: quality.condition_table(record, m) for m in models},
        "render_checks": quality.render_checks(record),
        "picture_table": quality.picture_table(record),
        "clipped": quality.clipped_sentence(record),
        "has_outside": bool((record.frame("scenes")["outside_px"] > 0).any()),
    }


def _pictures(record: RunRecord, gallery: Gallery) -> Mapping[str, Any]:
    """Everything of a run over pictures without ground truth."""
    views = {m: picture_views(record, gallery, m) for m in record.models}
    flips = {m: flip_sentence(record, m) for m in record.models}
    return {
        "picture_views": views,
        "flips": flips,
        "crops": {m: crops(record, gallery, m) for m in record.models},
    }


def _background(record: RunRecord) -> Mapping[str, Any]:
    return {
        "model_cards": [provenance.model_card(record, m) for m in record.models],
        "run_facts": provenance.run_facts(record),
        "stages": provenance.stages(record),
        "renders": provenance.renders(record),
        "twins": provenance.twins(record),
    }


def _figures() -> Mapping[str, Any]:
    """What the template needs to draw legends and name things."""
    return {
        "words": words,
        "arms": arms,
        "attention": attention,
        "findings": findings,
        "legend_glyph": figures.legend_glyph,
        "legend_cell": grids.legend_cell,
        "legend_mark": legend_mark,
        "legend_bar": answer_bars.legend_bar,
        "grid_states": grids.STATES,
        "sensor_legend": sensor_attention.legend(),
        "sensor_sources": sensor_attention.SOURCES,
        "colour_stops": colour_map.stops(),
        "shades": range(factor_tables.SHADES),
        "tints": range(factor_tables.TINTS),
    }


def _notes(gallery: Gallery, model: str) -> tuple[str, ...]:
    stamp = gallery.stamp(model)
    return (
        (f"{stamp[:1].upper()}{stamp[1:]}. Read these numbers as a description of the maps, not as a finding.",)
        if stamp
        else ()
    )


def drop_stale(assets: Assets) -> None:
    """Remove pictures of an earlier report of this run that the new page does not show."""
    for path in assets.folder.glob("*.webp"):
        if path.name not in assets.written:
            path.unlink()
