"""Where a network looks: saliency, Grad-CAM and HiResCAM of one target from one forward and one backward pass."""

from audit.attribution.engine import AttributionError, attribute, resized
from audit.attribution.methods import METHODS, Method

__all__ = ["METHODS", "AttributionError", "Method", "attribute", "resized"]
