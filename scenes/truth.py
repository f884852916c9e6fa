"""Truth of the floor that geometry decides without a render: whose shadow falls where, where the object is mirrored.

All of it is defined on the whole floor plane, where things hide it too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenes import reflection, shadow
from scenes.scene_spec import MaterialSpec, SceneSpec


def of(spec: SceneSpec) -> dict[str, NDArray[np.float32]]:
    """(H, W) float32 in [0, 1] each, under the names of scenes.store.TRUTH. Raises SceneError."""
    shadows = {
        "shadow": shadow.cast_shadow(spec),
        "distractor_shadow": shadow.distractor_shadow(spec),
        "outside": shadow.outside_shadow(spec),
    }
    share = np.float32(shown(spec.floor))
    return {**{name: share * strength for name, strength in shadows.items()}, "reflection": reflection.reflection(spec)}


def shown(floor: MaterialSpec) -> float:
    """The share of its strength with which a shadow shows on such a floor.

    A shadow is seen in the light that a floor scatters; of that a metal has none where it is smooth enough to mirror.
    """
    return 1.0 - floor.metallic if reflection.mirrors(floor) else 1.0
