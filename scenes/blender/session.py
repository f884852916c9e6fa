"""A Blender session: settings that hold for every scene, and rendering one scene to arrays."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np
import OpenEXR
from numpy.typing import NDArray

from scenes import color
from scenes.blender.build import build
from scenes.scene_spec import BLENDER_VERSION, SceneError, SceneSpec
from scenes.store import FLOOR, OBJECT

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
        build(spec)
        scene = bpy.context.scene
        scene.render.resolution_x, scene.render.resolution_y = spec.camera.width, spec.camera.height
        scene.cycles.samples = spec.samples
        scene.cycles.seed = spec.render_seed
        scene.cycles.use_denoising = spec.denoise
        scene.render.filepath = str(self._file)
        bpy.ops.render.render(write_still=True)
        channels = OpenEXR.File(str(self._file), separate_channels=True).parts[0].channels

        def layer(name: str, letters: str) -> NDArray[np.float32]:
            return np.stack([channels[f"ViewLayer.{name}.{c}"].pixels for c in letters], axis=-1).astype(np.float32)

        linear = layer("Combined", "RGB")
        if not np.isfinite(linear).all():
            raise SceneError("the render holds values that are not finite")
        index = np.rint(layer("IndexOB", "X")[..., 0]).astype(np.uint8)
        depth = layer("Depth", "Z")[..., 0]
        return {
            "rgb": np.rint(color.srgb_encode(linear) * 255).astype(np.uint8),
            "index": index,
            "depth": np.where(depth > _NO_HIT, np.inf, depth).astype(np.float32),
            "albedo": _mean_albedo(layer("DiffCol", "RGB"), index),
        }


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
    for part in (index == FLOOR, index >= OBJECT):
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
    cycles.use_adaptive_sampling = False
    cycles.max_bounces = 3
    cycles.diffuse_bounces = 2
    cycles.glossy_bounces = 1
    cycles.transmission_bounces = 0
    cycles.volume_bounces = 0
    cycles.caustics_reflective = False
    cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 2.0  # fireflies of bounced light; direct light is never clamped
    cycles.use_light_tree = False  # one light and a world: nothing to choose among
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
    layer.use_pass_diffuse_color = True
