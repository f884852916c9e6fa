"""Where a network looks: attribution methods out of shared passes, for any target of any network.

May import audit.models and audit.metrics. What is imported from here is what there is to use; networks are borrowed
and left exactly as they came.
"""

from audit.attribution.engine import AttributionError, attribute, method_named, refusal, resized
from audit.attribution.methods import FAMILY, METHODS, Method

__all__ = ["FAMILY", "METHODS", "AttributionError", "Method", "attribute", "method_named", "refusal", "resized"]
