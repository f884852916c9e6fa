"""Writes the page: gathers its parts from a run record and renders the template around them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from reports import arms, attention, colour_map, factor_tables, figures, findings, grids, provenance, quality, words
from reports.arm_scenes import arm_scenes
from reports.picture_run import flip_sentence, picture_views
from reports.pictures import Assets
from reports.run_record import RunRecord, read_run
from reports.scene_views import Gallery
from reports.summary import summarise
from scenes.store import Store


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
    gallery = Gallery(record, Store(store_root).read, assets)
    page = folder / "index.html"
    partial = folder / "index.html.partial"
    partial.write_text(_html(record, gallery), encoding="utf-8")
    os.replace(partial, page)
    _drop_stale(assets)
    return page


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _html(record: RunRecord, gallery: Gallery) -> str:
    parts = {"record": record, "summary": summarise(record), **_figures()}
    parts |= _pictures(record, gallery) if record.is_pictures else _sections(record, gallery)
    return _environment().get_template("page.html").render(parts)


def _sections(record: RunRecord, gallery: Gallery) -> Mapping[str, Any]:
    """Everything of a run over rendered scenes."""
    models = record.models
    overlap = {m: attention.overlap(record, m) for m in models}
    notes = {m: {"relevance_mass_accuracy": _notes(gallery, m)} for m in models}
    return {
        "cards": findings.cards(record, gallery),
        "hidden": findings.hidden(record),
        "tables": {m: factor_tables.factor_tables(record, m, notes[m]) for m in models},
        "arm_sentences": {m: arms.sentences(record, m) for m in models},
        "arm_tables": {m: arms.arm_tables(record, m) for m in models},
        "arm_scenes": {m: arm_scenes(record, gallery, m) for m in models},
        "overlap": overlap,
        "undefined_reasons": {m: attention.undefined_reasons(rows) for m, rows in overlap.items()},
        "earned": {m: attention.earned(record, m) for m in models},
        "splits": {m: attention.splits(record, m) for m in models},
        "auc_tables": {m: quality.auc_tables(record, m) for m in models},
        "condition_tables": {m: quality.condition_table(record, m) for m in models},
        "render_checks": quality.render_checks(record),
        "picture_factors": quality.picture_factors(record),
        "picture_facts": quality.picture_facts(record),
        "clipped": quality.clipped_sentence(record),
        **_background(record),
    }


def _pictures(record: RunRecord, gallery: Gallery) -> Mapping[str, Any]:
    """Everything of a run over pictures without ground truth."""
    views = {m: picture_views(record, gallery, m) for m in record.models}
    flips = {m: flip_sentence(record, m) for m in record.models}
    return {"picture_views": views, "flips": flips, **_background(record)}


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
        "grid_states": grids.STATES,
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


def _drop_stale(assets: Assets) -> None:
    """Remove pictures of an earlier report of this run that the new page does not show."""
    for path in assets.folder.glob("*.webp"):
        if path.name not in assets.written:
            path.unlink()
