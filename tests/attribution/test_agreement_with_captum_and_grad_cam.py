"""The same maps from two independent libraries, on networks as they are used: agreement where definitions agree, and
what is right where a library computes something else, with the reason.

SqueezeNet has its real ImageNet weights and looks at photographs. The others have random weights and small pictures:
whether two maps are the same does not depend on what they show.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import interpolate
from torchvision import models

from audit.attribution import attribute
from audit.attribution.path_maps import NOISE_SEED
from audit.attribution.targets import of_callable, predicted
from audit.config import MethodSettings, ModelConfig, PreprocessingConfig
from audit.models import Adapter, build_adapter
from audit.models.layer_layout import CHANNELS_FIRST, CLASS_TOKEN_FIRST
from tests.models.tasks import CLASSIFICATION

captum = pytest.importorskip("captum.attr")
grad_cam = pytest.importorskip("pytorch_grad_cam")

SHARED = Path(__file__).resolve().parents[3] / "shared"
SQUEEZENET = SHARED / "weights" / "squeezenet1_0.safetensors"
PHOTOGRAPHS = [SHARED / "images" / name for name in ("cat.jpg", "dog_and_cat.jpg")]
SIZE = (64, 96)  # not square: a library that mixes up height and width shows it
STATISTICS = {"normalisation": "fixed", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}

pytestmark = pytest.mark.filterwarnings("ignore")  # captum warns of every hook it sets


@dataclasses.dataclass(frozen=True)
class Case:
    """A network, pictures, and its answer to each."""

    adapter: Adapter
    shown: np.ndarray

    @property
    def module(self) -> nn.Module:
        return self.adapter.module

    @property
    def fed(self) -> torch.Tensor:
        return self.adapter.preprocessing.apply(self.shown)

    @property
    def grey(self) -> torch.Tensor:
        """A picture of middle grey as the network is fed it, (1, 3, H, W): the libraries take zeros unless told."""
        side = self.adapter.preprocessing
        return side.normalised(torch.full((1, 3, side.height, side.width), 0.5, dtype=torch.float64))

    @property
    def best(self) -> torch.Tensor:
        return torch.from_numpy(self.adapter.logits(self.shown).argmax(axis=1))

    def ours(self, method: str, settings: MethodSettings | None = None) -> np.ndarray:
        return attribute(self.adapter, self.shown, predicted, [method], settings=settings)[method]

    def at(self, layer: str) -> Case:
        """The same with another target layer."""
        found: list[torch.Tensor] = []
        handle = self.module.get_submodule(layer).register_forward_hook(lambda _m, _i, output: found.append(output))
        with torch.no_grad():
            self.module(self.fed[:1])
        handle.remove()
        grid = (found[0].shape[2], found[0].shape[3])
        return Case(dataclasses.replace(self.adapter, target_layer=layer, grid=grid), self.shown)

    def first(self) -> Case:
        return Case(self.adapter, self.shown[:1])


def squeezenet() -> Case:
    if not (SQUEEZENET.is_file() and all(path.is_file() for path in PHOTOGRAPHS)):
        pytest.skip("ImageNet weights of SqueezeNet and photographs are not beside this repository (../shared)")
    config = ModelConfig(
        architecture="squeezenet1_0",
        checkpoint=str(SQUEEZENET),
        preprocessing=PreprocessingConfig(height=SIZE[0], width=SIZE[1], **STATISTICS),
    )
    photographs = [np.asarray(Image.open(path).convert("RGB").resize(SIZE[::-1])) for path in PHOTOGRAPHS]
    adapter = build_adapter(config, "cpu", CLASSIFICATION)
    adapter.module.requires_grad_(False)
    return Case(adapter, np.stack(photographs))


def drawn(height: int, width: int) -> np.ndarray:
    coarse = np.random.default_rng(1).integers(0, 256, (2, height // 8, width // 8, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def random_network(make: Callable[..., nn.Module], **settings: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = make(weights=None, **settings).eval()
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):  # as after training: neither 0 and 1 nor the identity
                nn.init.normal_(part.running_mean, 0, 0.1)
                nn.init.uniform_(part.running_var, 0.5, 1.5)
                nn.init.uniform_(part.weight, 0.5, 1.5)
                nn.init.normal_(part.bias, 0, 0.1)
        if isinstance(network, models.VisionTransformer):
            nn.init.normal_(network.heads.head.weight, 0, 0.05)  # made as zeros
    return network.requires_grad_(False)  # else grad-cam computes gradients of all weights, and leaves them there


@pytest.fixture(scope="module")
def networks() -> dict[str, nn.Module]:
    return {}


@pytest.fixture
def make_case(make_adapter, networks: dict[str, nn.Module]) -> Callable[[str], Case]:
    def make(name: str) -> Case:
        if name == "squeezenet1_0":
            return squeezenet()
        builders = {
            "resnet18": (models.resnet18, {}, "layer4", (2, 3), SIZE, CHANNELS_FIRST),
            # behind its last ReLU; what the libraries make of the convolution in front of it is told below
            "vgg11": (models.vgg11, {}, "features.19", (4, 6), SIZE, CHANNELS_FIRST),
            "vit_b_16": (
                *(models.vit_b_16, {"image_size": 64}, "encoder.layers.encoder_layer_11.ln_1", (4, 4), (64, 64)),
                CLASS_TOKEN_FIRST,
            ),
        }
        builder, settings, layer, grid, size, layout = builders[name]
        if name not in networks:
            networks[name] = random_network(builder, **settings)
        adapter = make_adapter(networks[name], layer, grid, size, "fixed", task=CLASSIFICATION, layout=layout)
        preprocessing = PreprocessingConfig(height=size[0], width=size[1], **STATISTICS)
        adapter = dataclasses.replace(adapter, preprocessing=type(adapter.preprocessing).from_config(preprocessing))
        return Case(adapter, drawn(*size))

    return make


CONVOLUTIONAL = ["squeezenet1_0", "resnet18", "vgg11"]


@pytest.fixture(params=CONVOLUTIONAL)
def case(request: pytest.FixtureRequest, make_case) -> Case:
    return make_case(request.param)


@pytest.fixture(params=[*CONVOLUTIONAL, "vit_b_16"])
def any_case(request: pytest.FixtureRequest, make_case) -> Case:
    return make_case(request.param)


def cosines(ours: np.ndarray, theirs: np.ndarray | torch.Tensor) -> list[float]:
    """Of each picture's two maps."""
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else theirs
    assert ours.shape == theirs.shape
    pairs = [(a.ravel().astype(float), b.ravel().astype(float)) for a, b in zip(ours, theirs, strict=True)]
    assert all(np.linalg.norm(a) > 0 and np.linalg.norm(b) > 0 for a, b in pairs)
    return [float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) for a, b in pairs]


def agree(ours: np.ndarray, theirs: np.ndarray | torch.Tensor) -> None:
    assert min(cosines(ours, theirs)) >= 0.9999


class TestGradientsAtThePictureAgreeWithCaptums:
    def test_saliency_and_input_x_gradient(self, any_case: Case) -> None:
        gradient = captum.Saliency(any_case.module).attribute(any_case.fed, target=any_case.best, abs=False)
        product = captum.InputXGradient(any_case.module).attribute(any_case.fed, target=any_case.best)
        names = ["saliency", "saliency_sum", "saliency_signed", "input_x_gradient"]
        ours = attribute(any_case.adapter, any_case.shown, predicted, names)
        agree(ours["saliency"], gradient.abs().amax(dim=1))
        agree(ours["saliency_sum"], gradient.abs().sum(dim=1))
        agree(ours["saliency_signed"], gradient.sum(dim=1))
        agree(ours["input_x_gradient"], product.sum(dim=1))

    def test_guided_backpropagation(self, case: Case) -> None:
        found = captum.GuidedBackprop(case.module).attribute(case.fed, target=case.best)
        agree(case.ours("guided_backprop"), found.abs().amax(dim=1))

    def test_deconvolution(self, case: Case) -> None:
        found = captum.Deconvolution(case.module).attribute(case.fed, target=case.best)
        agree(case.ours("deconvnet"), found.abs().amax(dim=1))

    def test_guided_grad_cam(self, case: Case) -> None:
        peer = captum.GuidedGradCam(case.module, case.adapter.layer())
        # captum enlarges by nearest neighbours unless told; the paper says bilinear
        found = peer.attribute(case.fed, target=case.best, interpolate_mode="bilinear")
        agree(case.ours("guided_grad_cam"), found.sum(dim=1))

    def test_integrated_gradients(self, any_case: Case) -> None:
        one = any_case.first()
        peer = captum.IntegratedGradients(one.module)
        found = peer.attribute(one.fed, one.grey, target=one.best, n_steps=3, method="gausslegendre")
        agree(one.ours("integrated_gradients", MethodSettings(path_steps=3)), found.sum(dim=1))

    def test_smooth_grad_given_the_same_noise(self, any_case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
        one = any_case.first()
        generator = torch.Generator().manual_seed(NOISE_SEED)
        noise = torch.stack([torch.randn(one.fed.shape[1:], generator=generator) for _ in range(4)])
        monkeypatch.setattr(torch, "normal", lambda _mean, deviation: noise * deviation)
        spread = 0.1 * float(one.fed.max() - one.fed.min())
        peer = captum.NoiseTunnel(captum.Saliency(one.module))
        # captum's Saliency takes absolute values of each copy unless told: the paper averages gradients with their sign
        found = peer.attribute(one.fed, nt_samples=4, stdevs=spread, target=one.best, abs=False)
        ours = one.ours("smooth_grad", MethodSettings(noise_copies=4, noise_spread=0.1))
        agree(ours, found.abs().amax(dim=1))


def test_occlusion_agrees_with_captums(any_case: Case) -> None:
    """Of a patch that fits the picture a whole number of times; else captum's last patches stick out, and hide less."""
    one = any_case.first()
    height, width = one.fed.shape[2:]
    side, step = height // 2, height // 4
    assert (width - side) % step == 0
    found = captum.Occlusion(one.module).attribute(
        one.fed,
        sliding_window_shapes=(3, side, side),
        strides=(3, step, step),
        baselines=one.grey,
        target=one.best,
        perturbations_per_eval=8,
    )
    agree(one.ours("occlusion", MethodSettings(patch=0.5, patch_step=0.5)), found[:, 0])


def test_grad_cam_agrees_with_captums(case: Case) -> None:
    found = captum.LayerGradCam(case.module, case.adapter.layer()).attribute(case.fed, target=case.best)
    agree(case.ours("grad_cam"), found[:, 0])


def as_grad_cam_ends(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """ReLU, enlarged, from 0 to 1 each: what the library gives back of every method."""
    rectified = torch.from_numpy(maps).clamp(min=0)
    least, most = rectified.amin(dim=(1, 2), keepdim=True), rectified.amax(dim=(1, 2), keepdim=True)
    assert (most > 0).all()
    enlarged = interpolate(((rectified - least) / (most - least))[:, None], size, mode="bilinear")[:, 0]
    least, most = enlarged.amin(dim=(1, 2), keepdim=True), enlarged.amax(dim=(1, 2), keepdim=True)
    return ((enlarged - least) / (most - least)).numpy()


def of_grad_cam(
    peer: type, case: Case, scale: float = 1.0, reshape: Callable[[torch.Tensor], torch.Tensor] | None = None
) -> np.ndarray:
    """The library's map of the predicted class, its logit times `scale`."""

    def scaled(index: int) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda answer: scale * answer[index]

    with peer(case.module, [case.adapter.layer()], reshape_transform=reshape) as cam:
        found: np.ndarray = cam(
            input_tensor=case.fed.requires_grad_(), targets=[scaled(int(index)) for index in case.best]
        )
    return found


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library's progress bars."""
    import tqdm

    monkeypatch.setattr(tqdm, "tqdm", lambda items, **_: items)


class TestActivationMapsAgreeWithGradCams:
    @pytest.mark.parametrize(
        ("method", "peer"),
        [("grad_cam", "GradCAM"), ("xgrad_cam", "XGradCAM"), ("hires_cam", "HiResCAM"), ("layer_cam", "LayerCAM")],
    )
    def test_of_convolutional_networks(self, case: Case, method: str, peer: str) -> None:
        # the logit a thousandfold: next to small gradients the library's epsilons would count
        ours = as_grad_cam_ends(case.ours(method), case.fed.shape[2:])
        agree(ours, of_grad_cam(getattr(grad_cam, peer), case, scale=1000))

    @pytest.mark.parametrize(("method", "peer"), [("grad_cam", "GradCAM"), ("hires_cam", "HiResCAM")])
    def test_of_a_transformers_tokens(self, make_case, method: str, peer: str) -> None:
        # told how the tokens lie: what the library has built in is 14 x 14
        case = make_case("vit_b_16")
        ours = as_grad_cam_ends(case.ours(method), case.fed.shape[2:])
        agree(ours, of_grad_cam(getattr(grad_cam, peer), case, reshape=CLASS_TOKEN_FIRST.maps))

    def test_grad_cam_plus_plus_of_a_large_target(self, case: Case) -> None:
        """The library adds 1e-6 to 2 g^2 + g^3 sum(A), and g^2 of a logit is often less than that: at a pooled layer of
        24 places g is some 1e-3. Of a thousandfold logit, which is another target and has another map, it is nothing.
        """
        index = case.best
        large = of_callable(lambda answer: 1000 * answer.gather(1, index[: len(answer), None])[:, 0])
        ours = attribute(case.adapter, case.shown, large, ["grad_cam_plus_plus"])["grad_cam_plus_plus"]
        agree(as_grad_cam_ends(ours, case.fed.shape[2:]), of_grad_cam(grad_cam.GradCAMPlusPlus, case, scale=1000))

    @pytest.mark.parametrize(("name", "layer"), [("squeezenet1_0", "features.3"), ("resnet18", "layer2")])
    def test_score_cam(self, make_case, quiet: None, monkeypatch: pytest.MonkeyPatch, name: str, layer: str) -> None:
        """The library enlarges masks so that corner pixels fall on corners, unlike the maps that it gives back. Put
        right for the comparison. As here, its softmax is of raw logits. It masks towards zeros, which are grey where
        the normalisation's mean is.
        """
        monkeypatch.setattr(nn, "UpsamplingBilinear2d", lambda size: nn.Upsample(size=size, mode="bilinear"))
        case = make_case(name).at(layer).first()
        centred = dataclasses.replace(case.adapter.preprocessing, mean=(0.5, 0.5, 0.5))
        case = Case(dataclasses.replace(case.adapter, preprocessing=centred), case.shown)
        ours = as_grad_cam_ends(case.ours("score_cam"), case.fed.shape[2:])
        agree(ours, of_grad_cam(grad_cam.ScoreCAM, case))

    @pytest.mark.parametrize(("name", "layer"), [("squeezenet1_0", "features.3"), ("resnet18", "layer2")])
    def test_ablation_cam_of_rectified_layers(self, make_case, quiet: None, name: str, layer: str) -> None:
        """The library divides by the logit, which is above 0 here and goes in the scaling from 0 to 1."""
        case = make_case(name).at(layer).first()
        assert case.adapter.logits(case.shown).max() > 0
        ours = as_grad_cam_ends(case.ours("ablation_cam"), case.fed.shape[2:])
        agree(ours, of_grad_cam(grad_cam.AblationCAM, case))


class TestWhereALibraryComputesSomethingElse:
    def test_a_relu_in_place_behind_the_layer_alters_grad_cams_activation(self, make_case) -> None:
        """features.18 of VGG-11 is a convolution with an in-place ReLU behind it. On the CPU the library keeps the
        gradient in front of the ReLU and, in the same memory, the activation behind it: the map of no layer. Ours is
        that of the network whose ReLU is not in place, which the library then gives as well, and captum always.
        """
        case = make_case("vgg11").at("features.18")
        apart = copy.deepcopy(case.module)
        for part in apart.modules():
            if isinstance(part, nn.ReLU):
                part.inplace = False
        other = Case(dataclasses.replace(case.adapter, module=apart), case.shown)
        ours = case.ours("grad_cam")
        agree(ours, captum.LayerGradCam(case.module, case.adapter.layer()).attribute(case.fed, target=case.best)[:, 0])
        ended = as_grad_cam_ends(ours, case.fed.shape[2:])
        agree(ended, of_grad_cam(grad_cam.GradCAM, other))
        assert max(cosines(ended, of_grad_cam(grad_cam.GradCAM, case))) < 0.999

    def test_guided_backpropagation_of_relu6_is_the_plain_gradient_in_captum(self, make_adapter) -> None:
        """It looks for nn.ReLU modules; MobileNetV2 has nn.ReLU6. The rule on the graph sees what ran."""
        network = random_network(models.mobilenet_v2)
        adapter = make_adapter(network, "features.18", (2, 3), SIZE, "fixed", task=CLASSIFICATION)
        case = Case(adapter, drawn(*SIZE))
        found = captum.GuidedBackprop(network).attribute(case.fed, target=case.best).abs().amax(dim=1)
        agree(case.ours("saliency"), found)
        assert max(cosines(case.ours("guided_backprop"), found)) < 0.99
        # what captum finds once the same network is written with nn.ReLU and a limit that rectifies nothing
        limited = copy.deepcopy(network)
        for part in list(limited.modules()):
            for name, child in part.named_children():
                if isinstance(child, nn.ReLU6):
                    setattr(part, name, nn.Sequential(nn.ReLU(), Limit()))
        agree(
            case.ours("guided_backprop"),
            captum.GuidedBackprop(limited).attribute(case.fed, target=case.best).abs().amax(dim=1),
        )

    def test_ablation_in_grad_cam_is_not_to_zero_where_a_layer_is_negative(self, make_case, quiet: None) -> None:
        """In front of a rectifier the library sets channels to -1e7 below the smallest value; the paper says zero."""
        case = make_case("resnet18").at("layer2.1.bn2").first()
        ended = as_grad_cam_ends(case.ours("ablation_cam"), case.fed.shape[2:])
        theirs = of_grad_cam(grad_cam.AblationCAM, case)
        assert np.abs(ended - theirs).max() > 0.5


class Limit(nn.Module):
    """The upper half of ReLU6."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden.clamp(max=6)
