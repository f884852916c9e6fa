"""Tasks for tests: the shipped robot's, and classes of things that ImageNet has."""

from __future__ import annotations

from audit.models.classification_task import ClassificationTask
from audit.models.proximity_task import ProximityTask
from scenes.proximity import MIGHTY_THYMIO

PROXIMITY = ProximityTask(MIGHTY_THYMIO)
CLASSIFICATION = ClassificationTask({"lemon": (951,), "cup": (504, 968), "cat": (282,)})
