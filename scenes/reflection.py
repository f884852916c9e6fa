"""Reflection: the floor pixels in which a glossy floor mirrors an object.

In a plane the mirror image is the object upside down below the floor, so it is had in closed form, as the shadow is.
From the floor point of each pixel's centre the camera's ray goes on turned upward, and is tested against each shape; of
an asset, the outlines of its convex pieces mirrored in the floor are filled as the camera sees them.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from scenes import framing, shadow, silhouette
from scenes.scene_spec import SHAPES, CameraSpec, MaterialSpec, ObjectSpec, SceneSpec

Array = NDArray[np.float64]
# The roughest floor that shows an image with an outline. Of a black box on metal, the picture's darkening agrees with
# the mask at .2, .3, .4, .5 by an IoU of .99, .96, .90, .84, and the image has .83, .60, .39, .26 of its contrast.
MIRROR_ROUGHNESS = 0.3
_UPSIDE_DOWN = np.array([1.0, 1.0, -1.0])


def reflection(spec: SceneSpec) -> NDArray[np.float32]:
    """Mask (H, W) float32 of 0 and 1: the floor point of the pixel's centre shows an object's mirror image.

    It is defined where something hides the floor too. A ghost has no image, a rough floor shows none, and the image of
    a distractor hides what lies behind it.
    """
    _, hits = shadow.floor_points(spec.camera)
    if not mirrors(spec.floor):
        return np.zeros(hits.shape, dtype=np.float32)
    of_objects, of_distractors = (_nearest(things, spec.camera) for things in (spec.objects, spec.distractors))
    return (hits & (of_objects < of_distractors)).astype(np.float32)


def mirrors(floor: MaterialSpec) -> bool:
    """Whether what stands on such a floor has an image in it."""
    return floor.roughness <= MIRROR_ROUGHNESS and (floor.metallic > 0 or floor.specular > 0)


def _nearest(things: tuple[ObjectSpec, ...], camera: CameraSpec) -> Array:
    """How far (H, W) along the mirrored ray from the floor the first of the things is met; inf where none is."""
    points, hits = shadow.floor_points(camera)
    toward = shadow.pixel_rays(camera)[0] * _UPSIDE_DOWN * shadow.FAR
    nearest = np.full(hits.shape, np.inf)
    for thing in (o for o in things if o.is_visible):
        if thing.shape in SHAPES:
            seen = hits & shadow.blocks(thing, points.reshape(-1, 3), toward.reshape(-1, 3)).reshape(hits.shape)
        else:
            seen = hits & silhouette.seen([p * _UPSIDE_DOWN for p in silhouette.pieces_of([thing])], camera)
        near, _ = shadow.span(_around(thing), points[seen], toward[seen])
        nearest[seen] = np.minimum(nearest[seen], np.where(np.isfinite(near), near, 1.0))
    return nearest


def _around(thing: ObjectSpec) -> ObjectSpec:
    """The thing itself, or the box that an asset fills: of things apart it tells which comes first along a ray."""
    return thing if thing.shape in SHAPES else dataclasses.replace(thing, shape="box", size=framing.extent(thing))
