"""Planning, the same for every scene set: a base scene per block, the condition's levels laid over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scenes import factors
from scenes.design import Cell, Design
from scenes.nuisance import Draw
from scenes.scene_spec import ObjectSpec, SceneSpec


@dataclass(frozen=True)
class Quality:
    """How well a design's scenes are rendered: the same for all of them, since noise is a bias."""

    samples: int = 16  # per pixel
    denoise: bool = False


@dataclass(frozen=True)
class Planned:
    """A cell of the design and the scene that stands for it; cells of equal content share a scene_id."""

    scene_set: str
    cell: Cell
    cell_id: str
    scene_id: str
    spec: SceneSpec
    stratum: str
    obstacles: tuple[ObjectSpec, ...]  # the block's own, also in the arms that lack them: what all arms are asked about


def planned(
    scene_set: str, design: Design, known: factors.Known, drawn: Callable[[Cell], tuple[SceneSpec, Draw]]
) -> list[Planned]:
    """Every cell of the design with its SceneSpec, block by block.

    known: the factors that can be applied. drawn: makes the base scene of a cell's block, at control levels.
    """
    found = []
    blocks: dict[str, tuple[SceneSpec, Draw]] = {}
    for cell in design.cells():
        if cell.block not in blocks:
            blocks[cell.block] = drawn(cell)
        base, nuisance = blocks[cell.block]
        spec = factors.apply(known, base, cell.condition, nuisance)
        cell_id = cell.cell_id(design.name)
        found.append(Planned(scene_set, cell, cell_id, spec.scene_id, spec, nuisance.stratum, base.objects))
    return found
