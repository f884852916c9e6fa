"""The regions of a picture that a renderer knows, in the order in which arrays hold them."""

from __future__ import annotations

REGIONS = ("object", "cast_shadow", "outside_shadow", "reflection", "distractors", "floor", "background")
OVERLAP_REGIONS = ("object", "cast_shadow")  # what a map can be right about; the others are in the mass split
WHOLE = "-"  # of metrics that are about the whole map
