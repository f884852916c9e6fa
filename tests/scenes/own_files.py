"""Files of users' own assets for tests: a boat-like thing of boxes as .obj, the same as .glb and .blend, and odd ones.

Its closed form: a body 1 wide, .4 deep and .6 high, with a handle on its right and a nose before its front.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

Box = tuple[tuple[float, float, float], tuple[float, float, float]]  # low and high corner: x right, y away, z up
BODY: Box = ((0.0, 0.0, 0.0), (1.0, 0.4, 0.6))
HANDLE: Box = ((1.0, 0.1, 0.2), (1.25, 0.3, 0.4))
NOSE: Box = ((0.4, -0.1, 0.0), (0.6, 0.0, 0.3))
EXTENTS = (1.0, 0.4, 0.48)  # of all three, the largest side 1
RED, BLUE = (0.6, 0.05, 0.04), (0.05, 0.1, 0.7)
_QUADS = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))  # of corners in order


def obj_text(parts: Sequence[tuple[str, Box]], library: str = "boat.mtl") -> str:
    """An .obj by hand, y up and z to the viewer as the format has it; a material and a box each."""
    lines, start = [f"mtllib {library}"], 1
    for material, (low, high) in parts:
        lines.append(f"usemtl {material}")
        for x, y, z in itertools.product(*zip(low, high, strict=True)):
            lines += [f"v {x} {z} {-y}"]
        lines += ["vt 0 0", "vt 1 0", "vt 1 1", "vt 0 1"]
        first = 4 * (start // 8) + 1
        for quad in _QUADS:
            lines.append("f " + " ".join(f"{start + corner}/{first + k}" for k, corner in enumerate(quad)))
        start += 8
    return "\n".join(lines) + "\n"


def write_obj(folder: Path) -> Path:
    """The boat with a material file and a picture beside it."""
    path = folder / "boat.obj"
    path.write_text(obj_text([("red", BODY), ("blue", HANDLE), ("blue", NOSE)]))
    kd = {name: "Kd {} {} {}\n".format(*color) for name, color in (("red", RED), ("blue", BLUE))}
    (folder / "boat.mtl").write_text(f"newmtl red\n{kd['red']}map_Kd paint.png\nnewmtl blue\n{kd['blue']}")
    paint(folder, RED)
    return path


def paint(folder: Path, color: tuple[float, float, float]) -> None:
    """The picture on the boat's body, of one linear colour."""
    from scenes.color import srgb_encode

    code = tuple(int(v) for v in (srgb_encode(color) * 255).round())  # type: ignore[arg-type]
    Image.new("RGB", (8, 8), code).save(folder / "paint.png")


# What Blender makes of the .obj in argv[1]: boat.glb, boat.blend, hostile.blend (in its scripts {traces} stands for
# argv[2], a folder), busy.blend.
MAKE = """
import os, sys
import bpy
from pathlib import Path

source, traces = Path(sys.argv[1]), sys.argv[2]

def start():
    bpy.ops.wm.read_factory_settings(use_empty=True)

def save(name):
    bpy.ops.wm.save_as_mainfile(filepath=str(source.with_name(name)))

start()
bpy.ops.wm.obj_import(filepath=str(source))
bpy.ops.export_scene.gltf(filepath=str(source.with_name("boat.glb")))
save("boat.blend")

trace = "__import__('pathlib').Path({!r}, {!r}).touch()"
text = bpy.data.texts.new("register.py")
text.write("import bpy\\n" + trace.format(traces, "text") + "\\ndef act(*_):\\n    " + trace.format(traces, "handler"))
text.write("\\ndef register():\\n    " + trace.format(traces, "register") + "\\n")
for handler in ("load_post", "depsgraph_update_post", "frame_change_post", "render_pre"):
    text.write(f"bpy.app.handlers.{handler}.append(act)\\n")
text.use_module = True

def drive(owner, name, value):
    driver = owner.driver_add(name, 0).driver if name == "location" else owner.driver_add(name).driver
    driver.type = "SCRIPTED"
    driver.expression = trace.format(traces, name) + f" or {value}"

thing, material = bpy.data.objects[0], bpy.data.materials["blue"]
drive(thing, "location", 0.0)
drive(material.node_tree.nodes["Principled BSDF"].inputs["Roughness"], "default_value", 0.5)
node = material.node_tree.nodes.new("ShaderNodeScript")
node.script = text
thing["note"] = material["note"] = text
save("hostile.blend")

start()
bpy.ops.mesh.primitive_cube_add(size=99)
bpy.context.object.hide_render = True
bpy.ops.object.light_add(location=(50, 0, 0))
bpy.ops.object.camera_add(location=(60, 0, 0))
bpy.ops.object.empty_add(location=(70, 0, 0))
bpy.ops.mesh.primitive_cube_add(size=1, location=(0, 0, 0.5))
cube = bpy.context.object
cube.hide_viewport = True
row = cube.modifiers.new("row", "ARRAY")
row.count, row.use_relative_offset, row.use_constant_offset = 3, False, True
row.constant_offset_displace = (2, 0, 0)
mesh = bpy.data.meshes.new("sail")
mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 0, 1)], [], [(0, 1, 2)])
kit = bpy.data.collections.new("kit")
kit.objects.link(bpy.data.objects.new("sail", mesh))
for y in (3, 5):
    instance = bpy.data.objects.new("instance", None)
    instance.instance_type, instance.instance_collection = "COLLECTION", kit
    instance.location, instance.scale = (0, y, 0), (-1, 1, 1)
    bpy.context.scene.collection.objects.link(instance)
bpy.ops.object.text_add(location=(1, 0, 2))
bpy.context.object.data.body = "A"
save("busy.blend")
os._exit(0)
"""

# Opens the .blend in argv[1] as a careless Blender would, scripts allowed.
OPEN_CARELESSLY = """
import os, sys
import bpy

bpy.context.preferences.filepaths.use_scripts_auto_execute = True
bpy.ops.wm.open_mainfile(filepath=sys.argv[1], use_scripts=True)
bpy.context.scene.frame_set(7)
os._exit(0)
"""

# Says what the .blend in argv[1] holds: a line for each kind, then the drivers and nodes of what is appended from it.
LIST = """
import os, sys
import bpy

with bpy.data.libraries.load(sys.argv[1]) as (held, wanted):
    kinds = [kind for kind in dir(held) if getattr(held, kind)]
    for kind in kinds:
        setattr(wanted, kind, getattr(held, kind))
print("kinds", *sorted(kinds))
trees = [material.node_tree for material in wanted.materials]
blocks = [block for kind in kinds for block in getattr(wanted, kind)] + trees
print("animated", *[block.name for block in blocks if getattr(block, "animation_data", None)])
print("properties", *[key for block in blocks for key in block.keys()])
print("nodes", *sorted({node.type for tree in trees for node in tree.nodes}))
print("unpacked", *[image.name for image in wanted.images if not image.packed_file])
sys.stdout.flush()
os._exit(0)
"""


def in_blender(program: str, *arguments: Path) -> str:
    """Run it in a Blender of its own; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *map(str, arguments)],
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
