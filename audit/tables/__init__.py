"""The tables the audit hands over, stage by stage. `conditions`, `effects` and the like are also written as CSV.

A table's columns, key and version are declared here and nowhere else; who reads one of another version is told so.
Imports scenes.table alone.
"""

from audit.tables.answers import (
    ANSWERS,
    AUC,
    CONDITION_AUC,
    LABELS,
    PICTURES,
    PREDICTIONS,
    PREPROCESSING,
    RESPONSES,
    TAKEN_FOR,
)
from audit.tables.attention import ATTENTION, CROPS, SANITY, SANITY_VERDICT, SENSOR_ATTENTION
from audit.tables.findings import CONDITIONS, EARNED, EFFECTS, FAILURES, GATE_VALUES, INTERVENTIONS
from audit.tables.regression import DEVELOPMENT, EPOCHS, FINDING_STATES, GATES, HISTORY, STEPS

ALL = (  # in the order of the stages
    *(LABELS, RESPONSES, ANSWERS, PREDICTIONS, TAKEN_FOR, AUC, CONDITION_AUC, PREPROCESSING),
    *(ATTENTION, SENSOR_ATTENTION, SANITY, SANITY_VERDICT, CROPS, PICTURES),
    *(CONDITIONS, EFFECTS, INTERVENTIONS, EARNED, FAILURES, GATE_VALUES, HISTORY, STEPS),
)

__all__ = [
    "ALL",
    "ANSWERS",
    "ATTENTION",
    "AUC",
    "CONDITIONS",
    "CONDITION_AUC",
    "CROPS",
    "DEVELOPMENT",
    "EARNED",
    "EFFECTS",
    "EPOCHS",
    "FAILURES",
    "FINDING_STATES",
    "GATES",
    "GATE_VALUES",
    "HISTORY",
    "INTERVENTIONS",
    "LABELS",
    "PICTURES",
    "PREDICTIONS",
    "PREPROCESSING",
    "RESPONSES",
    "SANITY",
    "SANITY_VERDICT",
    "SENSOR_ATTENTION",
    "STEPS",
    "TAKEN_FOR",
]
