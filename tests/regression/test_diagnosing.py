"""After an alarm: what would explain it, said with its numbers, and nothing said that is not so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_runs import MODEL, TinyRun, other, settings
from torch import nn

from audit import parts
from audit.analysis.gate_measures import PLACE
from audit.analysis.gates import INCONCLUSIVE
from audit.config import AuditConfig
from audit.models.adapter import Adapter
from audit.models.checkpoint import Checkpoint
from audit.models.preprocessing import Preprocessing
from audit.models.proximity_task import ProximityTask
from audit.regression import diagnosing, other_feedings
from audit.regression.comparing import compare_runs
from audit.regression.kept_run import open_run
from audit.regression.worsening import EVERYWHERE, FEEDING, NO_FEEDING, NOT_FED, PLACES, PREPROCESSING, Explanation
from audit.schema import ConfigError
from audit.tables import LABELS

pytestmark = pytest.mark.usefixtures("read_once")
NO_AUDITOR = SimpleNamespace()  # nothing is audited for a diagnosis
PLAIN = ("model.preprocessing.normalisation=fixed",)  # pictures as they are, in [0, 1]


def sure(sensor: str, light: str, block: int) -> tuple[float, float]:
    return 0.99, 0.01


def blind(sensor: str, light: str, block: int) -> tuple[float, float]:
    return 0.01, 0.01


def explained(baseline: TinyRun, candidate: TinyRun, root: Path) -> list[Explanation]:
    sides = [open_run(r.write(root / name)) for name, r in (("baseline", baseline), ("candidate", candidate))]
    found = compare_runs(sides[0], sides[1], baseline.config.comparison)
    return list(diagnosing.explanations(found, candidate.config))


def of(kind: str, found: list[Explanation]) -> Explanation | None:
    return next((e for e in found if e.kind == kind), None)


class TestWithoutTheWeights:
    """The checkpoint that was audited is not the one that lies there: what the tables say is said."""

    @pytest.fixture
    def run(self) -> TinyRun:
        return TinyRun(settings(), says=sure)

    def test_one_blind_sensor_is_named_and_no_other(self, run: TinyRun, tmp_path: Path) -> None:
        candidate = other(run, says=lambda s, light, b: blind(s, light, b) if s == "centre" else sure(s, light, b))
        found = of(PLACES, explained(run, candidate, tmp_path))
        assert found is not None
        assert found.names == ("centre",)
        assert "only sensor centre is worse" in found.sentence
        assert "the others answer as before" in found.sentence

    def test_a_place_with_too_few_scenes_for_an_alarm_of_its_own_is_named_too(
        self, run: TinyRun, tmp_path: Path
    ) -> None:
        candidate = other(run, says=lambda s, light, b: blind(s, light, b) if s == "centre" else sure(s, light, b))
        sides = [open_run(r.write(tmp_path / str(i))) for i, r in enumerate((run, candidate))]
        found = compare_runs(sides[0], sides[1], run.config.comparison)
        rows = [replace(c, verdict=INCONCLUSIVE) if c.gate.kind == PLACE else c for c in found.all_gates]
        said = of(PLACES, list(diagnosing.explanations(replace(found, compared={MODEL: rows}), run.config)))
        assert said is not None
        assert said.names == ("centre",)

    def test_what_is_worse_at_all_sensors_and_lights_is_said_to_be_everywhere(
        self, run: TinyRun, tmp_path: Path
    ) -> None:
        def worse(sensor: str, light: str, block: int) -> tuple[float, float]:
            return (0.01 if block % 3 else 0.99), (0.99 if block % 3 else 0.01)

        found = explained(run, other(run, says=worse), tmp_path)
        everywhere = of(EVERYWHERE, found)
        assert everywhere is not None
        assert "5 of 5 sensors" in everywhere.sentence
        assert "2 of 2 conditions" in everywhere.sentence
        assert of(PLACES, found) is None

    def test_why_it_was_not_fed_otherwise_is_said(self, run: TinyRun, tmp_path: Path) -> None:
        found = of(NOT_FED, explained(run, other(run, says=blind), tmp_path))
        assert found is not None
        assert "no longer the checkpoint that was audited" in found.sentence

    def test_other_preprocessing_comes_first(self, run: TinyRun, tmp_path: Path) -> None:
        candidate = other(run, says=blind, config=settings("model.preprocessing.channels=bgr"))
        first, *_ = explained(run, candidate, tmp_path)
        assert first.kind == PREPROCESSING
        assert "channels rgb became bgr" in first.sentence

    def test_of_equal_weights_it_is_the_whole_reason_and_nothing_else_is_tried(
        self, run: TinyRun, tmp_path: Path
    ) -> None:
        fed = replace(run, says=blind, config=settings("model.preprocessing.channels=bgr"))
        found = explained(run, fed, tmp_path)
        assert "the weights are the same" in found[0].sentence
        assert of(NOT_FED, found) is None

    @pytest.mark.parametrize("typed", [(), ("comparison.diagnose=false",)])
    def test_nothing_is_said_without_an_alarm_or_where_that_is_switched_off(
        self, typed: tuple[str, ...], tmp_path: Path
    ) -> None:
        run = TinyRun(settings(*typed), says=sure)
        candidate = other(run, says=blind if typed else sure)
        sides = [open_run(r.write(tmp_path / str(i))) for i, r in enumerate((run, candidate))]
        found = compare_runs(sides[0], sides[1], run.config.comparison)
        assert bool(found.alarms) is bool(typed)
        assert diagnosing.diagnose(found, run.config, NO_AUDITOR) == ()  # type: ignore[arg-type]


class Reddish(nn.Module):
    """Says there is something before the three left sensors where the picture is redder than blue, by its order."""

    def __init__(self, answers: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.answers = answers

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        red = pictures[:, 0].mean(dim=(1, 2)) - pictures[:, 2].mean(dim=(1, 2))
        return self.answers(red)


def at_three_sensors(red: torch.Tensor) -> torch.Tensor:
    logits = torch.full((len(red), 31, 5), -8.0)
    logits[:, 5:11, :3] = (20 * (red - 0.4))[:, None, None]
    return logits.flatten(1)


def with_false_alarms(red: torch.Tensor) -> torch.Tensor:
    """The same, and at the other two an alarm in one cell, whatever is there, once anything is red."""
    logits = at_three_sensors(red).reshape(len(red), 31, 5)
    logits[:, 5, 3:] = 8.0 if bool((red > 0.4).any()) else -8.0
    return logits.flatten(1)


class TestFedOtherwise:
    """Obstacles are red. The candidate is configured for BGR and blind so; its network reads RGB."""

    @pytest.fixture
    def config(self) -> AuditConfig:
        return settings(*PLAIN, "model.preprocessing.channels=bgr")

    def found(
        self,
        config: AuditConfig,
        answers: Callable[[torch.Tensor], torch.Tensor],
        root: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> list[Explanation]:
        adapter = Adapter(
            name=MODEL,
            task=ProximityTask(parts.robot(config)),
            architecture="planted",
            module=Reddish(answers).eval(),
            preprocessing=Preprocessing.from_config(config.models[MODEL].preprocessing),
            target_layer="",
            grid=None,
            checkpoint=Checkpoint("", "1" * 64),
            threshold=0.5,
            recipe=None,
            device="cpu",
        )
        monkeypatch.setattr(other_feedings, "_adapter", lambda looked, config: adapter)
        monkeypatch.setattr(other_feedings.parts, "store", lambda config: SimpleNamespace(picture=self.picture))
        self.labels = root / "candidate"
        return explained(TinyRun(config, says=sure), other(TinyRun(config, says=blind)), root)

    def picture(self, scene_id: str) -> np.ndarray:
        """Red where there is an obstacle, else grey."""
        label = LABELS.read(self.labels).set_index("scene_id").loc[scene_id, "label"]
        colour = [230, 120, 25] if (np.asarray(label) == 1).any() else [120, 120, 120]
        return np.tile(np.array(colour, np.uint8), (64, 80, 1))

    def test_the_feeding_that_takes_the_worsening_away_is_named_with_its_setting(
        self, config: AuditConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said = of(FEEDING, self.found(config, at_three_sensors, tmp_path, monkeypatch))
        assert said is not None
        assert said.names == ("channels=rgb",)
        assert said.sentence == (
            "proximity: fed with channels=rgb it misses 0.0 % of occupied sensors instead of 100.0 % (baseline 0.0 %):"
            " its channel order is probably not the configured one;"
            " setting: models.proximity.preprocessing.channels=rgb"
        )

    def test_one_that_trades_misses_for_false_alarms_explains_nothing(
        self, config: AuditConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = self.found(config, with_false_alarms, tmp_path, monkeypatch)
        assert of(FEEDING, found) is None
        none = of(NO_FEEDING, found)
        assert none is not None
        assert "channels=rgb" in none.sentence

    def test_the_setting_can_be_typed(self, config: AuditConfig) -> None:
        fed = settings(*PLAIN, "models.proximity.preprocessing.channels=rgb")
        assert fed.models[MODEL].preprocessing.channels == "rgb"
        with pytest.raises(ConfigError):
            settings("preprocessing.channels=rgb")
