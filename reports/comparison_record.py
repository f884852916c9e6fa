"""A comparison's directory and the two runs it compares, read once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from audit.tables import FINDING_STATES, GATES
from reports.run_record import RunRecord, read_run

KINDS = (
    "overall",
    "matched",
    "intervention",
    "place",
    "condition",
    "attention",
)  # in the order in which they are shown
PLACE, CONDITION, ATTENTION = KINDS[3:]
STATES = ("new", "persisting", "fixed", "not covered")
PASS, REGRESSION, INCONCLUSIVE = "pass", "regression", "inconclusive"
CONFIRMED = "confirmed"  # of an alarm, by fresh scenes
SIDES = ("baseline", "candidate")


@dataclass(frozen=True)
class Pairing:
    """One model of the candidate, its name in the baseline, and the parts of both runs that showed it its scenes."""

    model: str
    old: str
    baseline: RunRecord
    candidate: RunRecord

    @cached_property
    def shared(self) -> pd.DataFrame:
        """The candidate's rows of scenes that both runs rendered from one scene."""
        ours, theirs = self.candidate.frame("scenes"), self.baseline.frame("scenes")
        usable = theirs.loc[theirs["status"] == "ok", ["cell_id", "scene_id"]]
        return ours[ours["status"] == "ok"].merge(usable, on=["cell_id", "scene_id"])

    @cached_property
    def rows_before(self) -> Mapping[str, pd.Series]:
        """cell_id -> the baseline's row of scenes."""
        return {str(row["cell_id"]): row for _, row in self.baseline.frame("scenes").iterrows()}


@dataclass(frozen=True)
class ComparisonRecord:
    """What the directory `folder` holds. verdict: verdict.json; gates, states: GATES and FINDING_STATES, in the order
    in which they are shown."""

    folder: Path
    verdict: Mapping[str, Any]
    gates: pd.DataFrame
    states: pd.DataFrame
    baseline: RunRecord
    candidate: RunRecord

    @property
    def models(self) -> tuple[str, ...]:
        """Models that were compared, as the candidate calls them."""
        return tuple(dict.fromkeys([*map(str, self.verdict["models"]), *sorted(set(self.gates["model"]))]))

    def run(self, side: str) -> RunRecord:
        return self.baseline if side == SIDES[0] else self.candidate

    def old(self, model: str) -> str:
        """What the baseline calls a model."""
        return str(self.verdict["models"].get(model, model))

    @cached_property
    def pairings(self) -> Mapping[str, Pairing]:
        """Model -> its pairing."""
        parts: dict[str, tuple[RunRecord, RunRecord]] = {}
        out = {}
        for model in self.models:
            scene_set = self.candidate.scene_set_of(model)
            if scene_set not in parts:
                parts[scene_set] = (self.baseline.part(scene_set), self.candidate.part(scene_set))
            out[model] = Pairing(model, self.old(model), *parts[scene_set])
        return out


def read_comparison(folder: Path, baseline: Path, candidate: Path) -> ComparisonRecord:
    """Read a comparison's directory and both run directories. Raises scenes.table.TableError on another schema."""
    gates, states = GATES.read(folder), FINDING_STATES.read(folder)
    rank = {kind: i for i, kind in enumerate(KINDS)}
    gates = gates.assign(at=gates["kind"].map(rank)).sort_values(["model", "at"], kind="stable").drop(columns="at")
    known = {state: i for i, state in enumerate(STATES)}
    worse = states["candidate_effect"].fillna(states["baseline_effect"])
    states = states.assign(at=states["state"].map(known), by=-worse).sort_values(["at", "by"], kind="stable")
    return ComparisonRecord(
        folder=folder,
        verdict=json.loads((folder / "verdict.json").read_text("utf-8")),
        gates=gates.reset_index(drop=True),
        states=states.drop(columns=["at", "by"]).reset_index(drop=True),
        baseline=read_run(baseline),
        candidate=read_run(candidate),
    )
