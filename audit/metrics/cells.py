"""The cells that are scored: 31 distances x 5 sensors, index = distance * 5 + sensor."""

from __future__ import annotations

SENSORS = ("left", "centre_left", "centre", "centre_right", "right")
DISTANCES = 31  # 0 .. 30 cm of travel
CELLS = DISTANCES * len(SENSORS)
HORIZON = 15  # cm of travel within which sensor events count, 15 included
