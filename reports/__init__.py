"""The page a person reads: verdict first, then findings with their evidence, then everything behind them.

Reads a finished run directory and the render store; computes no statistic of its own, so every number on the page
stands in one of the run's tables. Imports neither torch nor Blender.
"""

from reports.comparison_page import write_comparison
from reports.history_page import write_epochs, write_history
from reports.page import write_report
from reports.scene_folder import write_scene

__all__ = ["write_comparison", "write_epochs", "write_history", "write_report", "write_scene"]
