"""What can be configured: the schema that hydra_configs/ is checked against. Plain dataclasses, no Hydra.

Every field's comment is its documentation: what, unit, range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCENE_SETS: Mapping[str, str] = {"proximity": "tabletop", "classification": "studio"}  # task -> what its networks see
PICTURES = "pictures"  # the scene set without ground truth, which every network may see


@dataclass(frozen=True)
class AssetConfig:
    """An object of the user's own for the studio. All in the file that a render would show is the object."""

    path: str = ""  # the file: .blend, .glb, .gltf or .obj; scripts in it are never executed
    classes: list[Any] = field(default_factory=list)  # ImageNet classes that are right for it, by name or index
    elevation: float = 15.0  # degrees of the camera above the object's middle
    fill: float = 0.6  # share of the frame that its larger side takes
    yaw: float = 0.0  # degrees, counter-clockwise seen from above, that turn its front to the camera; 0: front is -y
    up: str = "auto"  # axis of the file that points up: x, y, z, -x, -y, -z; auto: z of .blend, y of the others
    stage: str = "room"  # what surrounds it: room, outdoors
    unusual: str | None = None  # sRGB hex, its colour at object_color=unusual; null: a vivid one far from its own


@dataclass(frozen=True)
class DesignConfig:
    """Which scenes of one scene set: factors crossed or sampled, blocked by scene seed, and their arms."""

    name: str = "tabletop"
    seeds: int = 24  # scene seeds (blocks), at least 8 for any verdict; in the studio: poses of each object
    objects: list[str] = field(default_factory=list)  # studio: the objects, a factor whose levels are not sampled
    classes: dict[str, list[Any]] = field(default_factory=dict)  # studio: object -> ImageNet classes, by name or index
    assets: dict[str, AssetConfig] = field(default_factory=dict)  # studio: the user's own, which objects may then name
    crossing: str = "full"  # full: all combinations; one_at_a_time: each level, the others at control; or sampled by
    points: int = 64  # conditions sampled, each a setting of all factors; of sobol a power of two is balanced
    own_points: bool = False  # other points for every scene seed, so more of the ranges is seen; else the same for all
    bins: int = 4  # even bins by which a sampled range is analysed
    max_scenes: int = 20_000  # cells that a design may have: what is larger has to be meant
    factors: dict[str, list[str]] = field(default_factory=dict)  # factor -> levels, or a range low..high:count, as text
    modules: list[str] = field(default_factory=list)  # dotted paths of the user's own factor modules
    control: dict[str, str] = field(default_factory=dict)  # factor -> control level; default: the factor's own
    arms: bool = True  # also render ghost and empty, which interventions need
    arms_of: list[str] = field(default_factory=list)  # one_at_a_time: factors whose levels have arms too
    keep: dict[str, list[Any]] = field(default_factory=dict)  # factor -> levels beside control; seeds -> blocks
    samples: int = 16  # Cycles samples per pixel, one number within a design
    denoise: bool = False  # Cycles' denoiser, for all scenes of the design or for none
    pictures: str | None = None  # folder of pictures, for the scene set pictures


@dataclass(frozen=True)
class CameraConfig:
    width: int = 80  # px
    height: int = 64  # px
    field_of_view: float = 60.0  # degrees, horizontal
    position: list[float] = field(default_factory=lambda: [0.05, 0.0, 0.13])  # m, robot frame
    tilt: float = 56.0  # degrees from straight down
    tilt_range: float = 4.0  # degrees; the scene seed draws tilt +- this


@dataclass(frozen=True)
class StudioConfig:
    """How the studio set looks at its objects; the object itself says from what height."""

    size: int = 224  # px, both sides of the picture
    field_of_view: float = 35.0  # degrees
    yaw_range: float = 30.0  # degrees; the pose draws the object's turn within +- this
    elevation_range: float = 4.0  # degrees; the pose draws the camera's height within +- this
    fill_range: float = 0.05  # the pose draws the share of the frame the object fills within +- this


@dataclass(frozen=True)
class RobotConfig:
    name: str = "mighty_thymio"
    sensors: dict[str, list[float]] = field(default_factory=dict)  # name -> x m, y m, yaw degrees; output order
    height: float = 0.03  # m, of the sensors
    cone: float = 0.30  # rad, full angle
    rays: int = 9  # per cone
    range: float = 0.11  # m
    body_front: float = 0.08  # m, x of the body's front edge
    body_width: float = 0.11  # m
    distances: int = 65  # cm of travel, 0 .. distances - 1
    scored: int = 31  # the first rows that are scored
    horizon: int = 15  # cm of travel within which sensor events count


@dataclass(frozen=True)
class RendererConfig:
    workers: int = 2  # processes, one thread each
    timeout: float = 60.0  # s without a scene before a worker is killed
    memory_limit: float = 1.5  # GB a worker may hold before it is replaced
    retries: int = 2  # of a scene that took its worker down
    verify: int = 12  # scenes that `verify` renders again


@dataclass(frozen=True)
class PreprocessingConfig:
    height: int = 64
    width: int = 80
    resize: str = "bilinear"  # bilinear (Pillow, antialiased), linear (OpenCV INTER_LINEAR), area, bicubic
    channels: str = "rgb"  # rgb, bgr: the order the network was trained on
    normalisation: str = "per_image"  # per_image: (x - mean) / (std + epsilon) over the image; fixed: per channel
    mean: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])  # for fixed, in channel order of the network
    std: list[float] = field(default_factory=lambda: [1.0, 1.0, 1.0])
    epsilon: float = 0.0


@dataclass(frozen=True)
class ModelConfig:
    name: str = "proximity"
    task: str = "proximity"  # what the network is asked: proximity (robot's sensors), classification (ImageNet-1k)
    architecture: str = "proximity_cnn"  # a built-in name, or the dotted path of a callable that returns an nn.Module
    arguments: dict[str, Any] = field(default_factory=dict)  # of that callable
    checkpoint: str | None = (
        None  # .safetensors or a state_dict; None: as the callable made it; 'packaged:NAME': shipped
    )
    outputs: str = "logits"  # what the module returns: logits, probabilities
    target_layer: str = ""  # dotted module path; empty: the architecture's own, of yours a stated guess
    threshold: float | None = None  # operating point; None: the checkpoint card's, else .5
    recipe: dict[str, list[str]] | None = None  # levels the checkpoint was trained on; None: the card's
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)


@dataclass(frozen=True)
class MethodSettings:
    """Numbers that single attribution methods take."""

    path_steps: int = 32  # integrated gradients: points between the grey picture and the picture
    noise_copies: int = 16  # smooth_grad: noisy copies of each picture
    noise_spread: float = 0.15  # smooth_grad: standard deviation of the noise, of the input's range
    patch: float = 0.2  # occlusion: side of the grey patch, of the shorter side of the input
    patch_step: float = 0.5  # occlusion: from one position to the next, of the patch's side
    masks: int = 1000  # rise: random masks per picture
    mask_cells: int = 7  # rise: cells along the shorter side of a mask
    mask_share: float = 0.5  # rise: probability that a cell is kept
    channels: int = 0  # score_cam, ablation_cam: the channels of largest activation that are tried; 0: all


@dataclass(frozen=True)
class SanityConfig:
    """The randomisation checks of Adebayo et al.: does a map change when what the network has learned is taken away?"""

    scenes: int = 8  # scenes at control whose maps are compared, of each model; 0: no checks
    stages: int = 8  # steps in which the layers are randomised, from the output to the input
    limit: float = 0.5  # similarity to the map of the wholly randomised network from which on a method fails


@dataclass(frozen=True)
class FaithfulnessConfig:
    """Deletion and insertion: what the target does as the pixels that a map names are taken away, or put back."""

    scenes: int = 0  # scenes with an object, of each model; 0: none, since every step of every map is a forward pass
    steps: int = 16  # shares of the picture, from none to all


@dataclass(frozen=True)
class CropsConfig:
    """Interesting regions: what a map selects, cut out of the picture."""

    methods: list[str] = field(default_factory=lambda: ["grad_cam", "saliency"])  # of attribution.methods
    threshold: float = 0.5  # of the map's largest value
    scenes: int = 4  # of each object, or of the tabletop, and method; 0: no crops


@dataclass(frozen=True)
class AttributionConfig:
    methods: list[str] = field(default_factory=lambda: ["hires_cam", "grad_cam", "saliency"])  # the first is primary
    target: str = "truth"  # truth: what is true of the scene; predicted, runner_up, sum, output:N, sensor:NAME, ...
    batch: int = 6
    gradient_at: str = "input"  # input: what the network is fed; picture: the pixels before normalisation
    settings: MethodSettings = field(default_factory=MethodSettings)
    sensors: bool = True  # proximity: also one map per cell, judged against what its own cone sees of the object
    sanity: SanityConfig = field(default_factory=SanityConfig)
    faithfulness: FaithfulnessConfig = field(default_factory=FaithfulnessConfig)
    crops: CropsConfig = field(default_factory=CropsConfig)


@dataclass(frozen=True)
class PreprocessingAuditConfig:
    """The same scenes, fed otherwise: is the configured preprocessing the one that the network was trained with?"""

    scenes: int = 96  # scenes of each model with an object, as many of each block, control first; 0: none


@dataclass(frozen=True)
class CriterionConfig:
    """The failure criterion. Margins are in the metric's own unit."""

    margins: dict[str, float] = field(default_factory=dict)  # metric -> delta
    q: float = 0.05  # false discovery rate, per model and metric
    min_blocks: int = 8  # usable blocks below which no verdict is given
    control_floor: dict[str, float] = field(default_factory=dict)  # metric -> worst acceptable value at control
    min_coverage: float = 0.95  # share of planned cells that must be usable


@dataclass(frozen=True)
class ComparisonConfig:
    """How a candidate is held against its baseline. Margins are in the metric's own unit."""

    margins: dict[str, float] = field(default_factory=dict)  # metric -> by how much it may worsen over all scenes
    local_margins: dict[str, float] = field(default_factory=dict)  # metric -> the same of one place or condition
    alpha: float = 0.05  # probability of a regression by chance, over all gates together (Holm)
    power: float = 0.8  # with which the minimum detectable effect would be found
    min_blocks: int = 8  # usable blocks below which a gate is inconclusive
    confirm: bool = True  # an alarm is tried again on fresh scene seeds before it counts
    confirm_seeds: int | None = None  # fresh scene seeds of each set; null: as many as the design has
    diagnose: bool = True  # after an alarm, feed the candidate otherwise to see whether that explains it
    inconclusive: str = "warn"  # exit code of an inconclusive verdict: warn 0, fail 4
    golden: str = "golden"  # the accepted baseline that `regress` and `watch` compare with, by name


@dataclass(frozen=True)
class PathsConfig:
    store: str = "store"  # render store, shared between runs
    outputs: str = "outputs"  # run directories; `latest` inside points at the newest
    baselines: str = "baselines"  # accepted baselines, one file each, to be kept under version control


@dataclass(frozen=True)
class TrainingConfig:
    scenes: int = 10000
    held_out: int = 1200  # scene seeds never trained on
    epochs: int = 40
    batch: int = 64
    learning_rate: float = 0.001
    samples: int = 16  # Cycles samples per pixel; as in the design that is audited, noise being a bias
    checkpoint: str = "outputs/training/proximity.safetensors"


@dataclass(frozen=True)
class AuditConfig:
    experiment: str = "default"
    seed: int = 0
    device: str = "auto"  # auto, cpu, cuda, cuda:N
    designs: dict[str, DesignConfig] = field(default_factory=dict)  # scene set -> its design
    camera: CameraConfig = field(default_factory=CameraConfig)
    studio: StudioConfig = field(default_factory=StudioConfig)
    robot: RobotConfig = field(default_factory=RobotConfig)
    renderer: RendererConfig = field(default_factory=RendererConfig)
    models: dict[str, ModelConfig] = field(default_factory=dict)
    attribution: AttributionConfig = field(default_factory=AttributionConfig)
    preprocessing_audit: PreprocessingAuditConfig = field(default_factory=PreprocessingAuditConfig)
    criterion: CriterionConfig = field(default_factory=CriterionConfig)
    comparison: ComparisonConfig = field(default_factory=ComparisonConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    paths: PathsConfig = field(default_factory=PathsConfig)
