"""Meshes from parts: plain geometry becomes Blender objects with Principled materials, by the data API alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import bpy
import numpy as np

from scenes.assets.solids import Bump, Part, Speckle, Surface

_MIX, _REST = "mix", "rest"  # attributes on the vertices


def add(name: str, parts: Sequence[Part]) -> list[bpy.types.Object]:
    """One linked object per part. Pass index and visibility to rays are the caller's to set."""
    materials: dict[tuple[Surface, float], bpy.types.Material] = {}
    things = []
    for number, part in enumerate(parts):
        look = (part.surface, part.scale)
        if look not in materials:
            materials[look] = _material(f"{name}.{len(materials)}", part.surface, part.scale)
        mesh = mesh_of(f"{name}.{number}", part)
        mesh.materials.append(materials[look])
        thing = bpy.data.objects.new(mesh.name, mesh)
        bpy.context.scene.collection.objects.link(thing)
        things.append(thing)
    return things


def mesh_of(name: str, part: Part) -> bpy.types.Mesh:
    """A part as a mesh without a material; its faces keep their order."""
    mesh = bpy.data.meshes.new(name)
    corners = np.concatenate([faces.ravel() for faces in part.faces]).astype(np.int32)
    sizes = np.concatenate([np.full(len(faces), faces.shape[1], np.int32) for faces in part.faces])
    mesh.vertices.add(len(part.vertices))
    mesh.vertices.foreach_set("co", part.vertices.astype(np.float32).ravel())
    mesh.loops.add(len(corners))
    mesh.loops.foreach_set("vertex_index", corners)
    mesh.polygons.add(len(sizes))
    mesh.polygons.foreach_set("loop_start", np.cumsum(sizes, dtype=np.int32) - sizes)
    mesh.update(calc_edges=True)
    mesh.polygons.foreach_set("use_smooth", np.full(len(sizes), part.smooth))
    if part.smooth and part.sharp < 180:
        mesh.set_sharp_from_angle(angle=math.radians(part.sharp))
    if part.mix is not None:
        mesh.attributes.new(_MIX, "FLOAT", "POINT").data.foreach_set("value", part.mix.astype(np.float32))
    if part.surface.bump or part.surface.speckle:
        rest = mesh.attributes.new(_REST, "FLOAT_VECTOR", "POINT")
        rest.data.foreach_set("vector", part.rest.astype(np.float32).ravel())
    return mesh


def _material(name: str, surface: Surface, scale: float) -> bpy.types.Material:
    """A Principled material; scale: metres per unit of the frame that bump and speckle are given in."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree = material.node_tree
    shader = tree.nodes["Principled BSDF"]
    settings = {
        "Base Color": (*surface.color, 1.0),
        "Roughness": surface.roughness,
        "Specular IOR Level": surface.specular,
        "Metallic": surface.metallic,
        "Coat Weight": surface.coat,
        "Emission Color": (*surface.color, 1.0),
        "Emission Strength": surface.emission,
    }
    for socket, value in settings.items():
        shader.inputs[socket].default_value = value
    color = None
    if surface.speckle:
        color = _mixed(tree, _speckle(tree, surface.speckle), surface.color, surface.speckle.color)
    if surface.accent:
        color = _mixed(tree, _attribute(tree, _MIX).outputs["Fac"], color or surface.color, surface.accent)
    if color:
        tree.links.new(color, shader.inputs["Base Color"])
    if surface.bump:
        tree.links.new(_bump(tree, surface.bump, scale), shader.inputs["Normal"])
    return material


def _attribute(tree: bpy.types.NodeTree, name: str) -> bpy.types.Node:
    node = tree.nodes.new("ShaderNodeAttribute")
    node.attribute_name = name
    return node


def _mixed(
    tree: bpy.types.NodeTree,
    share: bpy.types.NodeSocket,
    start: tuple[float, float, float] | bpy.types.NodeSocket,
    end: tuple[float, float, float],
) -> bpy.types.NodeSocket:
    node = tree.nodes.new("ShaderNodeMix")
    node.data_type = "RGBA"
    tree.links.new(share, node.inputs[0])
    if isinstance(start, tuple):
        node.inputs[6].default_value = (*start, 1.0)
    else:
        tree.links.new(start, node.inputs[6])
    node.inputs[7].default_value = (*end, 1.0)
    return node.outputs[2]


def _speckle(tree: bpy.types.NodeTree, speckle: Speckle) -> bpy.types.NodeSocket:
    """Share of the speckle's colour in [0, 1]."""
    noise = tree.nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = speckle.scale
    noise.inputs["Detail"].default_value = 2.0
    tree.links.new(_attribute(tree, _REST).outputs["Vector"], noise.inputs["Vector"])
    stretch = tree.nodes.new("ShaderNodeMapRange")
    stretch.inputs["From Min"].default_value = speckle.low
    stretch.inputs["From Max"].default_value = speckle.high
    tree.links.new(noise.outputs["Fac"], stretch.inputs["Value"])
    return stretch.outputs["Result"]


def _bump(tree: bpy.types.NodeTree, bump: Bump, scale: float) -> bpy.types.NodeSocket:
    """The bent normal."""
    kind, height = {"noise": ("ShaderNodeTexNoise", "Fac"), "voronoi": ("ShaderNodeTexVoronoi", "Distance")}[bump.kind]
    pattern = tree.nodes.new(kind)
    pattern.inputs["Scale"].default_value = bump.scale
    tree.links.new(_attribute(tree, _REST).outputs["Vector"], pattern.inputs["Vector"])
    node = tree.nodes.new("ShaderNodeBump")
    node.inputs["Strength"].default_value = bump.strength
    node.inputs["Distance"].default_value = bump.distance * scale
    tree.links.new(pattern.outputs[height], node.inputs["Height"])
    return node.outputs["Normal"]
