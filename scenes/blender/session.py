"""A Blender session: settings that hold for every scene, and rendering one scene to arrays."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np
import OpenEXR
from numpy.typing import NDArray

from scenes import color
from scenes.blender.build import ALBEDO, build
from scenes.scene_spec import BLENDER_VERSION, SceneError, SceneSpec
from scenes.shadow import is_split
from scenes.store import DISTRACTOR, FLOOR, OBJECT

_NO_HIT = 1e9  # m; Cycles writes 1e10 where a ray meets nothing


@contextmanager
def session() -> Iterator[Session]:
    """An empty Blender with the project's settings; its scratch folder goes when it ends."""
    if bpy.app.version[:2] != BLENDER_VERSION:
        raise SceneError(f"Blender {bpy.app.version_string} is not the declared {'.'.join(map(str, BLENDER_VERSION))}")
    with tempfile.TemporaryDirectory(prefix="scene-audit-") as folder:
        _settings(Path(folder))
        yield Session(Path(folder))


class Session:
    def __init__(self, folder: Path) -> None:
        self._file = folder / "scene.exr"

    def render(self, spec: SceneSpec) -> dict[str, NDArray]:
        """Render: rgb uint8 sRGB (H, W, 3), index uint8 (H, W), depth float32 (H, W), albedo float32 (2, 3).

        Index, depth: Cycles takes both from the first sample, which passes through the pixel's centre, so masks are
        exact there and carry no anti-aliasing.
        """
        prepare(spec)
        self.trace()
        return self.arrays()

    def trace(self) -> None:
        """Let Cycles render what is prepared, into the session's file."""
        bpy.context.scene.render.filepath = str(self._file)
        bpy.ops.render.render(write_still=True)

    def arrays(self) -> dict[str, NDArray]:
        """What `render` returns, out of the session's file."""
        passes = self._passes()
        index = np.rint(passes("IndexOB", "X")[..., 0]).astype(np.uint8)
        depth = passes("Depth", "Z")[..., 0]
        return {
            "rgb": self.picture(),
            "index": index,
            "depth": np.where(depth > _NO_HIT, np.inf, depth).astype(np.float32),
            "albedo": _mean_albedo(passes(ALBEDO, "RGB"), index),
        }

    def picture(self) -> NDArray[np.uint8]:
        """The picture alone: uint8 sRGB (H, W, 3). Raises SceneError where a value is not finite."""
        linear = self._passes()("Combined", "RGB")
        if not np.isfinite(linear).all():
            raise SceneError("the render holds values that are not finite")
        return np.rint(color.srgb_encode(linear) * 255).astype(np.uint8)

    def _passes(self) -> Callable[[str, str], NDArray[np.float32]]:
        """A function from a pass's name and the letters of its channels to (H, W, letters) of the session's file."""
        channels = OpenEXR.File(str(self._file), separate_channels=True).parts[0].channels

        def layer(name: str, letters: str) -> NDArray[np.float32]:
            return np.stack([channels[f"ViewLayer.{name}.{c}"].pixels for c in letters], axis=-1).astype(np.float32)

        return layer


def prepare(spec: SceneSpec) -> None:
    """Build the scene and set everything of the render that depends on it."""
    build(spec)
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = spec.camera.width, spec.camera.height
    scene.cycles.samples = spec.samples
    scene.cycles.seed = spec.render_seed
    scene.cycles.use_denoising = spec.denoise
    # One light and a world leave nothing to choose among. Of two linked lights the tree offers each surface its own,
    # with the noise of one. Without it a floor had twice the noise, and the order in which Cycles kept them showed.
    scene.cycles.use_light_tree = is_split(spec)


def _mean_albedo(albedo: NDArray[np.float32], index: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean linear albedo of floor and objects over pixels away from any outline, which the pixel filter mixes."""
    inner = np.ones(index.shape, dtype=bool)
    for axis in (0, 1):
        edge = np.diff(index.astype(int), axis=axis) != 0
        low, high = [slice(None)] * 2, [slice(None)] * 2
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        inner[tuple(low)] &= ~edge
        inner[tuple(high)] &= ~edge
    found = []
    for part in (index == FLOOR, (index >= OBJECT) & (index < DISTRACTOR)):
        chosen = part & inner if (part & inner).any() else part
        found.append(albedo[chosen].mean(axis=0) if chosen.any() else np.full(3, np.nan))
    return np.array(found, dtype=np.float32)


def _settings(folder: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
    # With its guides smoothed (FAST) a dark lemon lost its texture: probability .51 for .87 in a converged render.
    cycles.denoising_prefilter = "NONE"
    # As near to converged answers as HIGH, in half of its time (docs/benchmarks.md).
    cycles.denoising_quality = "BALANCED"
    cycles.use_adaptive_sampling = False
    cycles.max_bounces = 3
    cycles.diffuse_bounces = 2
    cycles.glossy_bounces = 2  # with one, the image in a mirroring floor of what shines itself was black
    cycles.transmission_bounces = 0
    cycles.volume_bounces = 0
    cycles.caustics_reflective = False
    cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 2.0  # fireflies of bounced light; direct light is never clamped
    scene.render.threads_mode = "FIXED"
    scene.render.threads = 1
    scene.render.use_persistent_data = True
    scene.render.resolution_percentage = 100
    scene.render.dither_intensity = 0.0
    scene.view_settings.view_transform = "Standard"
    scene.render.use_file_extension = False
    image = scene.render.image_settings
    image.file_format = "OPEN_EXR_MULTILAYER"
    image.color_depth = "32"
    image.exr_codec = "NONE"
    layer = scene.view_layers[0]
    layer.name = "ViewLayer"
    layer.use_pass_z = True
    layer.use_pass_object_index = True
    albedo = layer.aovs.add()
    albedo.name, albedo.type = ALBEDO, "COLOR"
