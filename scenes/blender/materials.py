"""Materials: a dielectric whose albedo varies symmetrically about its mean."""

from __future__ import annotations

import bpy

from scenes.scene_spec import MaterialSpec


def build(spec: MaterialSpec, name: str) -> bpy.types.Material:
    """A Principled material; its texture lives in the object's own coordinates, in metres."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree = material.node_tree
    surface = tree.nodes["Principled BSDF"]
    surface.inputs["Roughness"].default_value = spec.roughness
    surface.inputs["Specular IOR Level"].default_value = spec.specular
    surface.inputs["Metallic"].default_value = spec.metallic
    if spec.texture == "plain" or spec.contrast == 0:
        surface.inputs["Base Color"].default_value = (*spec.color, 1.0)
        return material
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type = "RGBA"
    for socket, sign in ((6, -1), (7, 1)):
        mix.inputs[socket].default_value = (*[min(c * (1 + sign * spec.contrast), 1.0) for c in spec.color], 1.0)
    tree.links.new(_pattern(tree, spec), mix.inputs[0])
    tree.links.new(mix.outputs[2], surface.inputs["Base Color"])
    return material


def _pattern(tree: bpy.types.NodeTree, spec: MaterialSpec) -> bpy.types.NodeSocket:
    """A pattern in [0, 1] with mean about .5."""
    where = tree.nodes.new("ShaderNodeTexCoord").outputs["Object"]
    shift = tree.nodes.new("ShaderNodeVectorMath")
    shift.operation = "ADD"
    shift.inputs[1].default_value = spec.offset
    tree.links.new(where, shift.inputs[0])
    if spec.texture == "checker":
        node = tree.nodes.new("ShaderNodeTexChecker")
        output = node.outputs["Fac"]
    elif spec.texture == "stripes":
        node = tree.nodes.new("ShaderNodeTexWave")
        node.inputs["Distortion"].default_value = 2.0
        output = node.outputs["Fac"]
    elif spec.texture == "speckle":
        node = tree.nodes.new("ShaderNodeTexVoronoi")
        output = node.outputs["Color"]
    else:
        node = tree.nodes.new("ShaderNodeTexNoise")
        node.inputs["Detail"].default_value = 2.0
        output = node.outputs["Fac"]
    scale = spec.scale / 10 if spec.texture == "stripes" else spec.scale
    node.inputs["Scale"].default_value = scale
    tree.links.new(shift.outputs[0], node.inputs["Vector"])
    if spec.texture != "noise":
        return output
    stretch = tree.nodes.new("ShaderNodeMapRange")  # Perlin noise crowds around .5
    stretch.inputs["From Min"].default_value = 0.3
    stretch.inputs["From Max"].default_value = 0.7
    tree.links.new(output, stretch.inputs["Value"])
    return stretch.outputs["Result"]
