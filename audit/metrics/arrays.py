"""Names for the array types that metrics take and give."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]  # what is taken: any precision
Integers = npt.NDArray[np.integer[Any]]
Singles = npt.NDArray[np.float32]  # what is given: maps
Doubles = npt.NDArray[np.float64]  # what is given: numbers
Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
Texts = npt.NDArray[np.str_]
