"""Networks under audit: one file per architecture family, adapters that own preprocessing, checkpoint loading."""

from audit.models.adapter import Adapter
from audit.models.build import build_adapter
from audit.models.checkpoint import Checkpoint
from audit.models.device import pick_device
from audit.models.errors import ModelError, WeightsUnavailable
from audit.models.preprocessing import Preprocessing
from audit.models.task import Task, task_of

__all__ = ["Adapter", "Checkpoint", "ModelError", "Preprocessing", "Task", "WeightsUnavailable"]
__all__ += ["build_adapter", "pick_device", "task_of"]
