"""Any network can be audited; one that cannot is refused before a picture is rendered, with one clear line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from audit.config import ModelConfig, PreprocessingConfig
from audit.models import Adapter, ModelError, build_adapter, pick_device
from tests.models.tasks import PROXIMITY

NETWORKS = '''
import torch
from torch import nn

NUMBER = 3

class Net(nn.Module):
    """A small network whose last layer can be anything."""
    def __init__(self, outputs=155, last=None):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 2, 3, stride=4, padding=1), nn.ReLU())
        self.head = nn.Linear(2 * 16 * 20, outputs)
        self.last = last or nn.Identity()
    def forward(self, x):
        return self.last(self.head(self.features(x).flatten(1)))

def sigmoid_net(): return Net(last=nn.Sigmoid())
def rank_three(): return Net(last=nn.Unflatten(1, (31, 5)))
def few(): return Net(outputs=5)
def odd(): return Net(outputs=156)
def no_module(): return 7
def raising(): raise RuntimeError("no such weights")
def pooled(): return Net(last=nn.AvgPool1d(1))
class NotANumber(Net):
    def forward(self, x): return super().forward(x) * float("nan")
class Pair(Net):
    def forward(self, x): return (super().forward(x),)
class Summed(Net):
    def forward(self, x): return super().forward(x).sum(0, keepdim=True)
class Twice(Net):
    def forward(self, x):
        self.features(x)
        return super().forward(x)
class BadWeights(Net):
    def __init__(self):
        super().__init__()
        nn.init.constant_(self.head.bias, float("inf"))
'''


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Adapter]:
    """Build from a module that lies in the user's current folder and nowhere else."""
    (tmp_path / "my_networks.py").write_text(NETWORKS)
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("my_networks", None)

    def build(name: str, target_layer: str = "features.1", **changes: object) -> Adapter:
        config = ModelConfig(
            name="mine",
            architecture=f"my_networks.{name}",
            target_layer=target_layer,
            **changes,  # type: ignore[arg-type]
        )
        return build_adapter(config, "cpu", PROXIMITY)

    return build


def refusal(build: Callable[[], object]) -> str:
    with pytest.raises(ModelError) as error:
        build()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_module_in_the_current_folder_is_found_and_the_import_path_put_back(user: Callable[..., Adapter]) -> None:
    path = list(sys.path)
    adapter = user("Net")
    assert sys.path == path
    assert adapter.grid == (16, 20)
    assert adapter.checkpoint.file == ""
    assert len(adapter.checkpoint.sha256) == 64


def test_its_arguments_reach_the_callable(user: Callable[..., Adapter]) -> None:
    assert user("Net", arguments={"outputs": 325}).module(torch.zeros(1, 3, 64, 80)).shape == (1, 325)


def test_its_own_checkpoint_is_loaded_strictly(user: Callable[..., Adapter], tmp_path: Path) -> None:
    state = {key: values + 1 for key, values in user("Net").module.state_dict().items()}
    torch.save(state, tmp_path / "mine.pt")
    loaded = user("Net", checkpoint=str(tmp_path / "mine.pt")).module.state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)
    del state["head.bias"]
    torch.save(state, tmp_path / "mine.pt")
    assert "missing: head.bias" in refusal(lambda: user("Net", checkpoint=str(tmp_path / "mine.pt")))


def test_probabilities_are_wrapped_into_logits(user: Callable[..., Adapter], pictures: np.ndarray) -> None:
    adapter = user("sigmoid_net", outputs="probabilities")
    network = adapter.module.network
    expected = network(adapter.preprocessing.apply(pictures)).detach().numpy()
    np.testing.assert_allclose(1 / (1 + np.exp(-adapter.logits(pictures))), expected, atol=1e-6)
    assert adapter.layer() is network.features[1]


def test_saturated_probabilities_stay_finite_as_logits(user: Callable[..., Adapter], pictures: np.ndarray) -> None:
    adapter = user("sigmoid_net", outputs="probabilities")
    torch.nn.init.constant_(adapter.module.network.head.bias, 200.0)
    assert np.isfinite(adapter.logits(pictures)).all()


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("sigmoid_net", {}, "ends in a sigmoid: set outputs=probabilities"),
        ("Net", {"outputs": "probabilities"}, "set outputs=logits"),
        ("Net", {"outputs": "probs"}, "did you mean probabilities"),
        ("rank_three", {}, "shape (2, 31, 5)"),
        ("few", {}, "5 outputs"),
        ("odd", {}, "156 outputs"),
        ("Pair", {}, "returns a tuple"),
        ("Summed", {}, "for 2 pictures"),
        ("NotANumber", {}, "NaN"),
        ("BadWeights", {}, "NaN or infinite weights in head.bias"),
        ("no_module", {}, "returned a int, not an nn.Module"),
        ("NUMBER", {}, "is a int, not a callable"),
        ("raising", {}, "RuntimeError: no such weights"),
        ("Nett", {}, "did you mean Net"),
        ("Net", {"arguments": {"output": 155}}, "called with output raised TypeError"),
        ("Net", {"target_layer": "feature.1"}, "did you mean features.1"),
        ("Net", {"target_layer": "head"}, "not a map"),
        ("Net", {"preprocessing": PreprocessingConfig(height=32)}, "fails on a picture of shape (B, 3, 32, 80)"),
    ],
)
def test_a_network_that_cannot_be_audited_says_why(
    user: Callable[..., Adapter], name: str, changes: dict[str, object], message: str
) -> None:
    assert message in refusal(lambda: user(name, **changes))


def test_a_network_that_names_no_target_layer_gets_a_guess(user: Callable[..., Adapter]) -> None:
    adapter = user("Net", target_layer="")
    assert (adapter.target_layer, adapter.grid, adapter.layer_is_guess) == ("features", (16, 20), True)
    assert not user("Net").layer_is_guess


def test_a_target_layer_may_run_several_times(user: Callable[..., Adapter]) -> None:
    assert user("Twice").grid == (16, 20)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("proximity_cn", "did you mean proximity_cnn"),
        ("nowhere_at_all.Net", "no module nowhere_at_all"),
        ("broken_module.Net", "importing broken_module raised SyntaxError"),
        ("needy_module.Net", "importing needy_module needs not_installed_at_all"),
    ],
)
def test_an_architecture_that_cannot_be_found_says_where_it_was_sought(
    architecture: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_module.py").write_text("def Net(:\n")
    (tmp_path / "needy_module.py").write_text("import not_installed_at_all\n")
    monkeypatch.chdir(tmp_path)
    assert message in refusal(lambda: build_adapter(ModelConfig(architecture=architecture), "cpu", PROXIMITY))


@pytest.mark.parametrize("name", ["ConstantNet", "FloorBrightnessNet", "LeftBorderNet"])
def test_planted_networks_are_named_by_dotted_path(from_root: Path, name: str) -> None:
    unit = PreprocessingConfig(normalisation="fixed")
    config = ModelConfig(name="planted", architecture=f"tests.models.planted.{name}", preprocessing=unit)
    adapter = build_adapter(config, "cpu", PROXIMITY)
    dark, bright = np.full((1, 64, 80, 3), 20, np.uint8), np.full((1, 64, 80, 3), 220, np.uint8)
    answers = adapter.logits(np.concatenate([dark, bright]))
    if name == "ConstantNet":
        assert (answers == -3).all()
    else:
        assert (answers[0] < -5).all()
        assert (answers[1] > 5).all()


def test_the_border_network_is_blind_to_everything_but_six_columns(from_root: Path, pictures: np.ndarray) -> None:
    unit = PreprocessingConfig(normalisation="fixed")
    config = ModelConfig(name="p", architecture="tests.models.planted.LeftBorderNet", preprocessing=unit)
    adapter = build_adapter(config, "cpu", PROXIMITY)
    before, changed = adapter.logits(pictures), pictures.copy()
    changed[:, :, 6:] = 0
    assert (adapter.logits(changed) == before).all()
    changed[:, :, 5] = 0
    assert (adapter.logits(changed) != before).all()


def test_answers_do_not_depend_on_the_batch_size(adapter: Adapter, pictures: np.ndarray) -> None:
    one = adapter.logits(pictures, batch=1)
    np.testing.assert_allclose(adapter.logits(pictures, batch=16), one, atol=1e-6)
    assert one.shape == (7, 155)
    assert one.dtype == np.float32


def test_equal_questions_get_equal_bytes(adapter: Adapter, pictures: np.ndarray) -> None:
    assert adapter.logits(pictures, batch=3).tobytes() == adapter.logits(pictures, batch=3).tobytes()


def test_no_pictures_give_no_answers(adapter: Adapter) -> None:
    assert adapter.logits(np.empty((0, 64, 80, 3), np.uint8)).shape == (0, 155)


def test_asking_leaves_mode_and_gradients_as_they_were(adapter: Adapter, pictures: np.ndarray) -> None:
    adapter.module.train()
    adapter.module.encoder[0].weight.requires_grad_(False)
    adapter.logits(pictures)
    assert all(part.training for part in adapter.module.modules())
    assert [p.requires_grad for p in adapter.module.parameters()] == [False] + [True] * 9
    with pytest.raises(ValueError, match="uint8"):
        adapter.logits(pictures.astype(np.float32))
    assert all(part.training for part in adapter.module.modules())


def test_auto_is_the_accelerator_where_there_is_one() -> None:
    assert pick_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


def test_cuda_that_is_not_there_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "use device=cpu or device=auto" in refusal(lambda: pick_device("cuda"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("cuda:1") == "cuda:1"
    assert "there are 2 CUDA devices" in refusal(lambda: pick_device("cuda:2"))


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpuu", "cuda:"])
def test_an_unknown_device_gets_the_nearest_name(name: str) -> None:
    assert "unknown" in refusal(lambda: pick_device(name))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_and_cpu_agree(saved: Callable[..., Path], pictures: np.ndarray) -> None:
    config = ModelConfig(checkpoint=str(saved()))
    cpu, cuda = (build_adapter(config, device, PROXIMITY).logits(pictures) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(cuda, cpu, atol=1e-5)
