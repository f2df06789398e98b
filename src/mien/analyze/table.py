"""The answer table: one row per face, its columns and their types."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mien.types import AREAS, EMOTIONS, PARTS, Prediction

if TYPE_CHECKING:
    import pandas as pd

_AUTHENTICITY = ("authenticity", "authenticity_low", "authenticity_high")


def _prediction_columns(prediction: Prediction, prefix: str) -> dict[str, float]:
    right = prediction.authenticity
    bounds = (math.nan,) * 3 if right is None else (right.value, right.low, right.high)
    columns = {f"{prefix}{name}": value for name, value in zip(_AUTHENTICITY, bounds, strict=True)}
    return columns | {
        f"{prefix}{emotion.value}": float(p) for emotion, p in zip(EMOTIONS, prediction.probabilities, strict=True)
    }


def _columns() -> dict[str, str]:
    columns = {
        "input": "str", "status": "str", "frame": "Int64", "approx_time": "float64", "face_id": "Int64",
        "face_x": "float64", "face_y": "float64", "face_width": "float64", "face_height": "float64",
        "face_score": "float64", "face_detector": "str", "face_size": "float64", "face_presence": "float64",
        "pose_yaw": "float64", "pose_pitch": "float64", "pose_roll": "float64",
        "emotion": "str", "authenticity": "float64", "authenticity_low": "float64", "authenticity_high": "float64",
        "area": "str",
    }  # fmt: skip
    columns |= {emotion.value: "float64" for emotion in EMOTIONS}
    for name, kind in (("visible", "boolean"), ("visibility", "float64"), ("contribution", "float64")):
        columns |= {f"{name}_{part.value}": kind for part in PARTS}
    for area in AREAS:
        columns[f"{area.value}_emotion"] = "str"
        columns |= {f"{area.value}_{name}": "float64" for name in _AUTHENTICITY}
        columns |= {f"{area.value}_{emotion.value}": "float64" for emotion in EMOTIONS}
    columns |= {f"{axis}_{i}": "float64" for axis in "xy" for i in range(68)}
    return columns | {"notes": "str"}


COLUMNS: dict[str, str] = _columns()
"""Name and pandas dtype of every column of a table, in order. ``status`` is ``ok`` or ``no face`` (or ``unreadable``,
from the command line); only ``input``, ``status``, ``frame`` and ``approx_time`` are filled where there is no face."""


def table_of(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """DataFrame of rows (dicts keyed by :data:`COLUMNS`; what a row lacks is missing), with all columns in order."""
    import pandas as pd

    table = pd.DataFrame(list(rows), columns=list(COLUMNS))
    return table.astype({name: "object" if kind == "str" else kind for name, kind in COLUMNS.items()})
