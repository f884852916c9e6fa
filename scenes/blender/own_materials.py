"""Materials of a user's own asset: made safe and whole on their way into the store, in scenes recoloured."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import bpy

from scenes.scene_spec import SceneError, Vector3

LARGEST_PICTURE = 2048  # px; larger ones are scaled down, since each scene reads them anew and nobody sees more
LUMINANCE = (0.2126, 0.7152, 0.0722)
_DARK = 0.02  # luminance that is added to both sides of a ratio, so that black has one too
_COLORS = ("Base Color", "Color")  # names of the input of a shader that is its colour
_COLORLESS = ("BSDF_TRANSPARENT", "HOLDOUT")
Place = tuple[bpy.types.NodeTree, bpy.types.NodeSocket]


def dress(mesh: bpy.types.Mesh, thing: bpy.types.Object) -> None:
    """Give the mesh the materials with which the object is seen, and one of its own where it has none."""
    if not mesh.materials:
        mesh.materials.append(None)
    slots = [slot.material for slot in thing.material_slots]
    for number, material in enumerate(mesh.materials):  # one by one, since without slots its faces forget theirs
        seen = slots[number] if number < len(slots) else material
        mesh.materials[number] = seen.original if seen else bpy.data.materials.new("plain")


def tidy(meshes: Sequence[bpy.types.Mesh]) -> None:
    """Leave of everything only what makes meshes and materials what they are: no script, driver, text or link."""
    for kind in ("materials", "node_groups", "images", "textures"):
        for block in list(getattr(bpy.data, kind)):
            if block.library:
                block.make_local()
    materials = {material for mesh in meshes for material in mesh.materials}
    for material in materials:
        if not material.use_nodes:
            color = tuple(material.diffuse_color)
            material.use_nodes = True
            for _, socket in base_colors(material.node_tree):
                socket.default_value = color
        material.displacement_method = "BUMP"  # else what is seen would not be the mesh
    for tree in [*(material.node_tree for material in materials), *bpy.data.node_groups]:
        for node in [node for node in tree.nodes if node.type == "SCRIPT"]:
            tree.nodes.remove(node)
        _strip(tree)
        for node in tree.nodes:
            _strip(node)
    for block in [*meshes, *materials, *bpy.data.images, *bpy.data.textures]:
        _strip(block)
    for kind in ("texts", "actions"):
        bpy.data.batch_remove(list(getattr(bpy.data, kind)))


def blocks() -> Iterator[bpy.types.ID]:
    """Everything in the file that is animated, trees of nodes within other blocks included."""
    for kind in bpy.data.bl_rna.properties:
        if kind.type == "COLLECTION":
            for block in getattr(bpy.data, kind.identifier):
                yield from (b for b in (block, getattr(block, "node_tree", None)) if getattr(b, "animation_data", None))


def _strip(block: bpy.types.bpy_struct) -> None:
    """Take away drivers and the user's own properties, which may hold anything."""
    if isinstance(block, bpy.types.ID):
        block.animation_data_clear()
    for key in list(block.keys()):
        del block[key]


def packed(meshes: Sequence[bpy.types.Mesh]) -> list[str]:
    """Pack the pictures of their materials into the file. Returns the paths of those that came from outside, and of
    other .blend files that it is linked with. Raises SceneError for a picture that is missing or none.
    """
    outside = [bpy.path.abspath(library.filepath) for library in bpy.data.libraries]
    materials = {material for mesh in meshes for material in mesh.materials}
    for image in {image for material in materials for image in _images(material.node_tree)}:
        path = os.path.realpath(bpy.path.abspath(image.filepath, library=image.library))
        if image.packed_file is None and image.source == "FILE":
            if not os.path.isfile(path):
                raise SceneError(f"refers to the picture {path}, which is not there; put it there, or take it out")
            outside.append(path)
        if not image.size[0]:  # reads it
            raise SceneError(f"refers to the picture {path}, which cannot be read; put another there, or take it out")
        shrink = LARGEST_PICTURE / max(image.size)
        if shrink < 1:
            image.scale(max(round(image.size[0] * shrink), 1), max(round(image.size[1] * shrink), 1))
        if image.packed_file is None or shrink < 1:
            image.pack()
    return sorted(set(outside))


def _images(tree: bpy.types.NodeTree) -> Iterator[bpy.types.Image]:
    for node in tree.nodes:
        if getattr(node, "image", None):
            yield node.image
        elif node.type == "GROUP" and node.node_tree:
            yield from _images(node.node_tree)


def base_colors(tree: bpy.types.NodeTree) -> list[Place]:
    """The inputs that give the shaders of a material their colour, the main one first, with the trees they are in."""
    output = tree.get_output_node("CYCLES")
    return list(dict.fromkeys(_upstream(tree, output.inputs["Surface"]))) if output else []


def _upstream(tree: bpy.types.NodeTree, socket: bpy.types.NodeSocket) -> Iterator[Place]:
    """Those of the shaders that end in a socket."""
    for link in socket.links:
        node = link.from_node
        color = next((node.inputs[name] for name in _COLORS if name in node.inputs), None)
        if node.type == "GROUP" and node.node_tree:
            ends = [n for n in node.node_tree.nodes if n.type == "GROUP_OUTPUT" and n.is_active_output]
            for inner in (i for end in ends for i in end.inputs if i.identifier == link.from_socket.identifier):
                yield from _upstream(node.node_tree, inner)
        elif color is not None and color.type == "RGBA" and node.type not in _COLORLESS:
            yield tree, color
        else:
            for other in node.inputs:
                if other.type == "SHADER":
                    yield from _upstream(tree, other)


def repaint(material: bpy.types.Material, before: Vector3, after: Vector3) -> None:
    """Let the material's mean base colour be `after` where it was `before`, lighter and darker places as they were.

    Each colour becomes `after` times the ratio of its luminance to that of `before`, at most 1: what was of several
    hues is of one. Both colours are linear RGB.
    """
    mean = sum(share * v for share, v in zip(LUMINANCE, before, strict=True)) + _DARK
    for tree, socket in base_colors(material.node_tree):
        if not socket.is_linked:
            own = sum(share * v for share, v in zip(LUMINANCE, socket.default_value[:3], strict=True)) + _DARK
            socket.default_value = (*(min(v * own / mean, 1.0) for v in after), 1.0)
            continue
        ratio = tree.nodes.new("ShaderNodeVectorMath")
        ratio.operation = "DOT_PRODUCT"
        ratio.inputs[1].default_value = [share / mean for share in LUMINANCE]
        tree.links.new(socket.links[0].from_socket, ratio.inputs[0])
        lifted = tree.nodes.new("ShaderNodeMath")
        lifted.inputs[1].default_value = _DARK / mean
        tree.links.new(ratio.outputs["Value"], lifted.inputs[0])
        scaled = tree.nodes.new("ShaderNodeVectorMath")
        scaled.operation = "SCALE"
        scaled.inputs[0].default_value = after
        tree.links.new(lifted.outputs["Value"], scaled.inputs["Scale"])
        least = tree.nodes.new("ShaderNodeVectorMath")
        least.operation = "MINIMUM"
        least.inputs[1].default_value = (1.0, 1.0, 1.0)
        tree.links.new(scaled.outputs["Vector"], least.inputs[0])
        tree.links.new(least.outputs["Vector"], socket)
