"""What the page needs beside the plain answer: the answer for every set of visible parts, and the heatmap drawn."""

from __future__ import annotations

import base64
import math
from typing import Any

import cv2
import numpy as np

from mien.analyze.analyzer import Analyzer
from mien.analyze.answers import Answer, Answers, Heatmap
from mien.face.draw import jet
from mien.trust.authenticity import times
from mien.types import AREAS, Area, Prediction, UInt8

PREVIEW_SIDE = 1600


def page_answer(
    analyzer: Analyzer,
    answers: Answers,
    *,
    what_if: bool = False,
    heatmap: bool = False,
    preview: bool = False,
    rows: bool = False,
) -> dict[str, Any]:
    """The CLI's JSON of a picture, and on request what more the page shows.

    Args:
        analyzer: what answered.
        answers: of the picture.
        what_if: add ``what_if``: by area, the answer if only its parts were visible.
        heatmap: add ``heatmap``: the class map in the published colours (JET) as a PNG, and its box.
        preview: add ``preview`` to the whole: the picture as a JPEG, for browsers that do not show its format (TIFF).
        rows: add ``rows`` to the whole: its rows of the table that ``mien analyze --out`` writes.
    """
    values = answers.to_dict()
    if preview:
        values["preview"] = _preview(answers.image)
    if rows:
        values["rows"] = [{name: _plain(value) for name, value in row.items()} for row in answers.to_rows()]
    for entry, answer in zip(values["faces"], answers, strict=True):
        if what_if:
            entry["what_if"] = {area.value: _what_if(analyzer, answer, area) for area in AREAS}
        if heatmap and answer.heatmap is not None:
            entry["heatmap"] = _picture(answer.heatmap)
    return values


def _what_if(analyzer: Analyzer, answer: Answer, area: Area) -> dict[str, Any] | None:
    same = answer.area is area
    other = answer if same else analyzer.reconsider(answer, area)
    if other.fused is None or other.emotion is None:
        return None
    return {
        "area": area.value,
        "emotion": other.emotion.value,
        "fused": other.fused.to_dict(),
        "contributions": {part.value: float(value) for part, value in other.contributions.items()},
        "notes": list(other.notes),
        "words": _words(other.fused),
    }


def _plain(value: Any) -> Any:
    """A cell as JSON has it: what is not known is null."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _words(prediction: Prediction) -> str:
    """``right 9 times in 10``, as the command line says it."""
    right = prediction.p_correct
    return "how far to trust it is unknown" if right is None else f"right {times(right.value)}"


def _preview(image: UInt8) -> str:
    scale = min(1.0, PREVIEW_SIDE / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, coded = cv2.imencode(".jpg", np.ascontiguousarray(small[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 88])
    return "data:image/jpeg;base64," + base64.b64encode(coded.tobytes()).decode("ascii")


def _picture(heatmap: Heatmap) -> dict[str, Any]:
    colours = jet(heatmap.relative)
    _, coded = cv2.imencode(".png", np.ascontiguousarray(colours[..., ::-1]))
    return {
        "emotion": heatmap.emotion.value,
        "box": [float(v) for v in heatmap.box],
        "png": "data:image/png;base64," + base64.b64encode(coded.tobytes()).decode("ascii"),
    }
