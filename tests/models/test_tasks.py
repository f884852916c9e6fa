"""The two tasks: what is true of a scene, what counts as an answer, and which networks can be asked at all."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.config import ModelConfig
from audit.metrics import sensor_events
from audit.metrics.concordance import auc, auc_table
from audit.metrics.specs import CLASSIFICATION_METRICS, PROXIMITY_METRICS
from audit.models import ModelError, Task, task_of
from audit.models.classification_task import classes_of
from audit.models.imagenet import class_names
from audit.models.proximity_task import ProximityTask
from audit.tables import AUC
from scenes import proximity
from scenes.proximity import MIGHTY_THYMIO
from scenes.scene_spec import CameraSpec, LightSpec, MaterialSpec, ObjectSpec, SceneSpec
from tests.models.tasks import CLASSIFICATION, PROXIMITY

GREY = MaterialSpec((0.2, 0.2, 0.2))
BOX = ObjectSpec("box", (0.04, 0.04, 0.05), (0.2, 0.0), 0.0, GREY)
CAMERA = CameraSpec(80, 64, 60.0, (0.05, 0.0, 0.13), 56.0)
OBJECTS = {"lemon": (951,), "cup": (504, 968), "cat": (282,)}


def thing(shape: str, **changes: object) -> ObjectSpec:
    return dataclasses.replace(BOX, shape=shape, **changes)  # type: ignore[arg-type]


def scene(*objects: ObjectSpec) -> SceneSpec:
    key = LightSpec((0.0, 0.0, 1.0), (0.2, 0.0, 0.0), 0.3, 10.0)
    return SceneSpec(CAMERA, GREY, objects, key, (1.0, 1.0, 1.0), 0.1, 16, 0)


def refusal(config: ModelConfig) -> str:
    with pytest.raises(ModelError) as error:
        task_of(config, MIGHTY_THYMIO, OBJECTS)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("task", [PROXIMITY, CLASSIFICATION], ids=lambda task: task.name)
class TestEveryTask:
    def test_speaks_of_as_many_outputs_everywhere(self, task: Task) -> None:
        logits = np.random.default_rng(0).normal(size=(3, task.outputs)).astype(np.float32)
        probability = task.probability(logits)
        assert (probability.shape, probability.dtype.name) == ((3, task.outputs), "float32")
        assert task.label([BOX]).shape == task.in_view(scene(BOX)).shape == (task.outputs,)
        assert task.label([BOX]).dtype == np.int8
        assert task.mistaken(probability, np.zeros((3, task.outputs), np.int8), 0.5).shape == (3, task.outputs)
        assert len(task.decisions(probability)) == 3
        assert task.refusal(task.outputs) == ""

    def test_gives_the_metrics_that_are_declared_for_it(self, task: Task) -> None:
        logits = np.random.default_rng(1).normal(size=(4, task.outputs))
        label = np.zeros((4, task.outputs), np.int8)
        label[:2, 11] = 1
        table = task.score(logits, task.probability(logits), label, label == 1, 0.5)
        assert list(table.columns) == ["row", "metric", "value", "undefined_reason"]
        declared = {"proximity": PROXIMITY_METRICS, "classification": CLASSIFICATION_METRICS}[task.name]
        assert set(table["metric"]) == set(declared) - {"auc"}
        assert (table.groupby("metric").size() == 4).all()
        assert (table["value"].isna() == (table["undefined_reason"] != "")).all()

    def test_finds_nothing_true_where_nothing_is(self, task: Task) -> None:
        ghost = thing("lemon", is_visible=False)
        assert not (task.label([]) == 1).any()
        assert not (task.label([ghost]) == 1).any()

    def test_answers_no_scenes_with_no_rows(self, task: Task) -> None:
        nothing, label = np.zeros((0, task.outputs), np.float32), np.zeros((0, task.outputs), np.int8)
        assert task.probability(nothing).shape == (0, task.outputs)
        assert len(task.score(nothing, nothing, label, label == 1, 0.5)) == 0
        assert len(task.answers(nothing, label)) == 0
        assert set(task.answers(nothing, label)) == {"row", "rank", "output", "answer", "probability", "is_right"}

    def test_hands_over_the_table_at_control_as_it_is_declared(self, task: Task) -> None:
        probability = np.random.default_rng(2).random((6, task.outputs)).astype(np.float32)
        label = np.random.default_rng(3).integers(-1, 2, (6, task.outputs)).astype(np.int8)
        table = task.control_table(probability, label, label >= 0)
        assert set(table.columns) == set(AUC.columns) - {"model"}
        assert len(table) == (155 if task.name == "proximity" else 0)

    def test_is_undone_by_its_link(self, task: Task) -> None:
        logits = np.random.default_rng(4).normal(size=(2, task.outputs))
        p = task.probability(logits).astype(np.float64)
        back = np.log(p) if task.link == "log" else np.log(p / (1 - p))
        np.testing.assert_allclose(task.probability(back), p, rtol=1e-5)


class TestProximity:
    def test_labels_and_view_are_the_scored_rows_of_the_robots_own(self) -> None:
        assert (PROXIMITY.label([BOX]) == proximity.labels([BOX], MIGHTY_THYMIO)[:31].reshape(-1)).all()
        assert (PROXIMITY.label([BOX]) == 1).any()
        assert (PROXIMITY.in_view(scene()) == proximity.in_view(CAMERA, MIGHTY_THYMIO)[:31].reshape(-1)).all()

    def test_scores_are_those_of_the_sensor_events(self) -> None:
        rng = np.random.default_rng(5)
        logits = rng.normal(size=(5, 155)).astype(np.float32)
        p, label = PROXIMITY.probability(logits), rng.integers(-1, 2, (5, 155)).astype(np.int8)
        target = rng.random((5, 155)) < 0.1
        expected = sensor_events.long(sensor_events.score(p, label, 0.3, 15, target=target, logits=logits))
        pd.testing.assert_frame_equal(PROXIMITY.score(logits, p, label, target, 0.3), expected)
        assert PROXIMITY.condition_scores(p, label) == {"auc": auc(p, label)}
        pd.testing.assert_frame_equal(PROXIMITY.control_table(p, label, label >= 0), auc_table(p, label, label >= 0))

    def test_mistaken_is_an_alarm_where_it_is_known_that_nothing_is(self) -> None:
        p = np.full((1, 155), 0.1, np.float32)
        p[0, :3] = 0.5
        label = np.zeros((1, 155), np.int8)
        label[0, 1], label[0, 2] = 1, -1
        assert np.flatnonzero(PROXIMITY.mistaken(p, label, 0.5)).tolist() == [0]

    def test_the_horizon_is_the_robots(self) -> None:
        near = ProximityTask(dataclasses.replace(MIGHTY_THYMIO, horizon=3))
        label, p = np.zeros((1, 31, 5), np.int8), np.zeros((1, 31, 5), np.float32)
        label[0, 5:] = 1
        rows = [
            task.score(p.reshape(1, -1), p.reshape(1, -1), label.reshape(1, -1), label.reshape(1, -1) == 1, 0.5)
            for task in (PROXIMITY, near)
        ]
        misses = [table.set_index("metric").loc["sensor_miss", "undefined_reason"] for table in rows]
        assert misses == ["", "no_occupied_sensor"]

    @pytest.mark.parametrize("width", [155, 160, 325])
    def test_any_multiple_of_five_that_is_long_enough_will_do(self, width: int) -> None:
        assert PROXIMITY.refusal(width) == ""

    @pytest.mark.parametrize("width", [0, 5, 150, 156, 1001])
    def test_any_other_number_of_outputs_is_refused(self, width: int) -> None:
        assert f"{width} outputs, not 155" in PROXIMITY.refusal(width)

    def test_a_robot_that_scores_are_not_defined_for_is_refused_before_anything_is_rendered(self) -> None:
        short = ProximityTask(dataclasses.replace(MIGHTY_THYMIO, scored=20))
        assert "20 distances x 5 sensors" in short.refusal(155)


class TestClassification:
    def test_every_accepted_class_of_what_is_visible_is_right(self) -> None:
        assert np.flatnonzero(CLASSIFICATION.label([thing("cup")])).tolist() == [504, 968]
        both = [thing("lemon"), thing("cat"), thing("cup", is_visible=False)]
        assert np.flatnonzero(CLASSIFICATION.label(both)).tolist() == [282, 951]

    def test_what_is_no_object_says_nothing(self) -> None:
        assert not CLASSIFICATION.label([thing("box")]).any()

    def test_probabilities_share_out_one_also_where_logits_are_huge(self) -> None:
        logits = np.zeros((2, 1000), np.float32)
        logits[0, 3], logits[1, 3] = 3e4, -3e4
        p = CLASSIFICATION.probability(logits)
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
        assert p[0, 3] == 1
        assert p[1, 3] == 0

    @settings(max_examples=20, deadline=None)
    @given(seed=st.integers(0, 10_000), shift=st.floats(-100, 100))
    def test_a_shift_of_all_logits_changes_no_probability(self, seed: int, shift: float) -> None:
        logits = np.random.default_rng(seed).normal(0, 5, (2, 1000))
        np.testing.assert_allclose(
            CLASSIFICATION.probability(logits + shift), CLASSIFICATION.probability(logits), rtol=1e-5
        )

    def test_answers_carry_the_names_of_the_classes(self) -> None:
        p = np.zeros((1, 1000), np.float32)
        p[0, [951, 950, 948]] = 0.5, 0.3, 0.2
        listed = CLASSIFICATION.answers(p, CLASSIFICATION.label([thing("lemon")])[None])
        assert listed["answer"].tolist()[:3] == ["lemon", "orange", "Granny Smith"]
        assert listed["is_right"].tolist() == [True, False, False, False, False]

    def test_its_one_decision_is_the_top_class(self) -> None:
        p = np.zeros((2, 1000))
        p[0, 7] = p[1, [3, 9]] = 0.5
        assert CLASSIFICATION.decisions(p).tolist() == [[7], [3]]

    @pytest.mark.parametrize("width", [10, 999, 1001, 21841])
    def test_a_network_of_other_classes_is_refused(self, width: int) -> None:
        assert CLASSIFICATION.refusal(width) == f"{width} outputs, not 1000: one for each class of ImageNet-1k"


class TestChoosing:
    def test_a_configuration_names_its_task(self) -> None:
        assert task_of(ModelConfig(), MIGHTY_THYMIO, OBJECTS) == PROXIMITY
        assert task_of(ModelConfig(task="classification"), MIGHTY_THYMIO, OBJECTS) == CLASSIFICATION

    def test_configured_classes_take_the_place_of_the_declared_ones_object_by_object(self) -> None:
        found = classes_of({"cat": ["tabby", 282, "Egyptian cat", "tabby"]}, OBJECTS)
        assert found == {**OBJECTS, "cat": (281, 282, 285)}
        assert class_names()[281] == "tabby"

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"lemn": ["951"]}, "design.classes.lemn: there is"),
            ({"lemn": ["951"]}, "did you mean lemon?"),
            ({"lemon": ["lemn"]}, "classes.lemon: class 'lemn'"),
            ({"lemon": [1000]}, "0 to 999"),
            ({"lemon": ["cardigan"]}, "264 and 474"),
            ({"lemon": []}, "at least one class"),
        ],
    )
    def test_classes_that_cannot_be_meant_are_told_in_one_line(self, given: dict[str, list], message: str) -> None:
        with pytest.raises(ModelError) as error:
            classes_of(given, OBJECTS)
        assert message in str(error.value)
        assert "\n" not in str(error.value)

    def test_an_unknown_task_is_told_in_one_line(self) -> None:
        config = ModelConfig(task="clasification")
        assert "task=clasification is unknown: did you mean classification?" in refusal(config)
