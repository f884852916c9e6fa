"""`python -m scenes.blender.timing stages|plain`: where the time of rendering goes. Specs on stdin, seconds on stdout.

For the benchmark alone; both ways give the same pictures.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import bpy

from scenes import truth
from scenes.blender.session import prepare, session
from scenes.scene_spec import SceneSpec, from_plain
from scenes.store import Store


def stages(specs: Sequence[SceneSpec]) -> list[dict[str, float]]:
    """Per scene the seconds of each stage, as a worker spends them; the first scene of a process is left out.

    trace is Cycles with its synchronisation, denoising and writing of the file; trace_one the same with one sample per
    pixel and without denoising, so that sampling is what trace grows by per sample.
    """
    found = []
    with session() as blender, tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for spec in [specs[0], *specs]:
            one = dataclasses.replace(spec, samples=1, denoise=False)
            noisy = dataclasses.replace(spec, denoise=False)
            seconds = {
                "build": _timed(partial(prepare, spec)),
                "trace": _timed(blender.trace),
                "read": _timed(blender.arrays),
            }
            seconds["write"] = _timed(partial(store.write_image, spec.scene_id, blender.arrays(), spec))
            seconds["truth"] = _timed(partial(_write_truth, store, spec))
            for name, other in (("trace_one", one), ("trace_noisy", noisy)):
                prepare(other)
                seconds[name] = _timed(blender.trace) if other != spec else seconds["trace"]
            found.append(seconds)
    return found[1:]


def _write_truth(store: Store, spec: SceneSpec) -> None:
    store.write_truth(spec.scene_id, truth.of(spec))


def plain(specs: Sequence[SceneSpec]) -> list[dict[str, float]]:
    """Per scene the seconds of the plain way: everything set up anew, all cores, a second render for the masks.

    pair: of a third render besides, without the shadow, from which its strength would follow.
    """
    found = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for spec in specs:
            start = time.perf_counter()
            with session() as blender:
                render = bpy.context.scene.render
                render.threads_mode, render.use_persistent_data = "AUTO", False
                _passes(is_wanted=False)
                prepare(spec)
                blender.trace()
                rgb = blender.picture()
                _passes(is_wanted=True)
                prepare(dataclasses.replace(spec, samples=1, denoise=False))
                blender.trace()
                store.write_image(spec.scene_id, {**blender.arrays(), "rgb": rgb}, spec)
                both = time.perf_counter()
                _passes(is_wanted=False)
                lit = tuple(dataclasses.replace(o, casts_shadow=False) for o in spec.objects)
                prepare(dataclasses.replace(spec, objects=lit))
                blender.trace()
                blender.picture()
            found.append({"scene": both - start, "pair": time.perf_counter() - both})
    return found


def _passes(is_wanted: bool) -> None:
    layer = bpy.context.view_layer
    layer.use_pass_z = layer.use_pass_object_index = is_wanted


def _timed(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


MODES = {"stages": stages, "plain": plain}


def main(mode: str) -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    specs = [from_plain(plain_spec) for plain_spec in json.load(sys.stdin)]
    answers.write(json.dumps(MODES[mode](specs)).encode())
    answers.close()


if __name__ == "__main__":
    main(sys.argv[1])
