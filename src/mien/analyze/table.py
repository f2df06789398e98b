"""The answer table: one row per face, its columns and their types."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from mien.types import AREAS, EMOTIONS, PARTS, Prediction

if TYPE_CHECKING:
    import pandas as pd

_P_CORRECT = ("p_correct", "p_correct_low", "p_correct_high")


def _prediction_columns(prediction: Prediction, prefix: str, trusted: bool = True) -> dict[str, float]:
    right = prediction.p_correct if trusted else None
    bounds = (math.nan,) * 3 if right is None else (right.value, right.low, right.high)
    columns = {f"{prefix}{name}": value for name, value in zip(_P_CORRECT, bounds, strict=True)}
    return columns | {
        f"{prefix}{emotion.value}": float(p) for emotion, p in zip(EMOTIONS, prediction.probabilities, strict=True)
    }


def _columns() -> dict[str, str]:
    columns = {
        "input": "str", "status": "str", "frame": "Int64", "approx_time": "float64", "face_id": "Int64",
        "face_x": "float64", "face_y": "float64", "face_width": "float64", "face_height": "float64",
        "face_score": "float64", "face_detector": "str", "face_size": "float64", "face_presence": "float64",
        "pose_yaw": "float64", "pose_pitch": "float64", "pose_roll": "float64",
        "emotion": "str", "abstained": "boolean", "best_emotion": "str", "p_correct": "float64",
        "p_correct_low": "float64", "p_correct_high": "float64", "prediction_set": "str", "area": "str",
    }  # fmt: skip
    columns |= {emotion.value: "float64" for emotion in EMOTIONS}
    for name, kind in (("visible", "boolean"), ("visibility", "float64"), ("contribution", "float64")):
        columns |= {f"{name}_{part.value}": kind for part in PARTS}
    for area in AREAS:
        columns[f"{area.value}_emotion"] = "str"
        columns |= {f"{area.value}_{name}": "float64" for name in _P_CORRECT}
        columns |= {f"{area.value}_{emotion.value}": "float64" for emotion in EMOTIONS}
    columns |= {f"{axis}_{i}": "float64" for axis in "xy" for i in range(68)}
    return columns | {"notes": "str"}


COLUMNS: dict[str, str] = _columns()
"""Name and pandas dtype of every column of a table, in order. ``status`` is ``ok`` or ``no face`` (or ``unreadable``,
from the command line); only ``input``, ``status``, ``frame`` and ``approx_time`` are filled where there is no face."""


def table_of(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """DataFrame of rows (dicts keyed by :data:`COLUMNS`; what a row lacks is missing), with all columns in order."""
    import pandas as pd

    return pd.DataFrame({name: _column([row.get(name) for row in rows], kind) for name, kind in COLUMNS.items()})


def _column(values: list[Any], kind: str) -> Any:
    """One column of its type; made of 260 columns at once and converted, a table took seven times as long."""
    import numpy as np
    import pandas as pd

    if kind == "float64":
        return np.array(values, np.float64)  # None is NaN
    if kind == "str":
        return pd.Series([math.nan if value is None else value for value in values], dtype=object)
    return pd.Series(values, dtype=cast("Any", kind))


LONG_COLUMNS: dict[str, str] = {
    "input": "str", "status": "str", "frame": "Int64", "approx_time": "float64", "face_id": "Int64", "of": "str",
    "emotion": "str", "probability": "float64", "said": "boolean", "p_correct": "float64", "p_correct_low": "float64",
    "p_correct_high": "float64", "uses_hidden": "boolean",
}  # fmt: skip
"""Name and pandas dtype of every column of a tidy table (:func:`long_table`), in order."""


def long_table(table: pd.DataFrame) -> pd.DataFrame:
    """A table of one row a face as a tidy one: one row a face, what answers (``answer`` or an area) and emotion.

    Args:
        table: with :data:`COLUMNS`, as ``Answers.to_frame`` gives or as read back from a file; more columns do no harm.

    Returns:
        With :data:`LONG_COLUMNS`. ``said`` marks the emotion said, whose row carries ``p_correct``; ``uses_hidden``
        marks areas that show a hidden part, of which nothing is said about trust. A picture without a face keeps one
        row.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = table.to_dict("records")  # type: ignore[assignment]
    for row in records:
        head = {name: row.get(name) for name in ("input", "status", "frame", "approx_time", "face_id")}
        before = len(rows)
        for of, prefix in (("answer", ""), *((area.value, f"{area.value}_") for area in AREAS)):
            rows += _long_rows(head | {"of": of}, row, prefix)
        if len(rows) == before:
            rows.append(head)
    long = pd.DataFrame(rows, columns=list(LONG_COLUMNS))
    return long.astype({name: "object" if kind == "str" else kind for name, kind in LONG_COLUMNS.items()})


def _long_rows(head: dict[str, Any], row: Mapping[str, Any], prefix: str) -> list[dict[str, Any]]:
    import pandas as pd

    said = row.get(f"{prefix}emotion" if prefix else "best_emotion")
    if said is None or pd.isna(said):
        return []
    area = None if not prefix else next(a for a in AREAS if prefix == f"{a.value}_")
    hidden = area is not None and any(row.get(f"visible_{part.value}") in (False, "False") for part in area.parts)
    bounds = {name: row.get(f"{prefix}{name}") for name in _P_CORRECT}
    return [
        head | {"emotion": emotion.value, "probability": row.get(f"{prefix}{emotion.value}"),
                "said": emotion.value == said, "uses_hidden": hidden} | (bounds if emotion.value == said else {})
        for emotion in EMOTIONS
    ]  # fmt: skip
