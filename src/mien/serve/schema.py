"""The JSON of ``/api/analyze`` for the OpenAPI page: what ``Answers.to_dict`` gives, and what the page adds."""

from __future__ import annotations

from typing import Any

from mien.types import AREAS, EMOTIONS, PARTS

Schema = dict[str, Any]
_EMOTION: Schema = {"enum": [emotion.value for emotion in EMOTIONS]}
_PART: Schema = {"enum": [part.value for part in PARTS]}
_AREA: Schema = {"enum": [area.value for area in AREAS]}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}


def _or_null(schema: Schema) -> Schema:
    return {"oneOf": [schema, {"type": "null"}]}


def _object(about: str, properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "description": about, "properties": properties, "required": required,
            "additionalProperties": False}  # fmt: skip


def _list(of: Schema, about: str = "", length: int | None = None) -> Schema:
    exact = {} if length is None else {"minItems": length, "maxItems": length}
    return {"type": "array", "items": of, "description": about, **exact}


def _each(names: Schema, value: Schema, about: str) -> Schema:
    return {"type": "object", "description": about, "propertyNames": names, "additionalProperties": value}


_RIGHT = _object(
    "Probability that the answer is right, with its 95% interval; n validation faces it rests on.",
    {"value": _SHARE, "low": _SHARE, "high": _SHARE, "n": {"type": "integer"}},
)
_PREDICTION = _object(
    "What one area says, or the fused answer.",
    {
        "area": _AREA,
        "emotion": _EMOTION,
        "p_correct": _or_null(_RIGHT),
        "probabilities": _each(_EMOTION, _SHARE, "Calibrated; they sum to 1."),
        "logits": _each(_EMOTION, {"type": "number"}, "As the network gave them."),
        "prediction_set": _list(_EMOTION, "Emotions that hold the right one at the coverage asked for."),
    },
)
_BITS = _each(_PART, {"type": "number"}, "Shapley values in bits: how much each visible part spoke for the answer.")
_NOTES = _list({"type": "string"}, "What limits this answer.")
_VISIBILITY = _object(
    "Which parts can be seen.",
    {
        "visible": _list(_PART),
        "probability": _each(_PART, _SHARE, "That the part is visible."),
        "given": {"type": "boolean", "description": "True where the caller said so."},
        "hidden": {
            "type": "object", "additionalProperties": _SHARE,
            "description": "Share hidden of right_eye, left_eye, nose, mouth; empty where the caller said so.",
        },
        "hidden_pieces": _list({"type": "string"}, "The pieces taken as hidden."),
    },
)  # fmt: skip
_GEOMETRY = _object(
    "In pixels of the upright picture; the centre of the top-left pixel is (0, 0).",
    {
        "box": _list({"type": "number"}, "x0, y0, x1, y1.", 4),
        "landmarks": _list(_list({"type": "number"}, "x, y.", 2), "dlib's 68 points.", 68),
        "detector": {"type": "string"},
        "score": {"type": "number"},
        "size": {"type": "number"},
        "presence": {"type": ["number", "null"], "description": "The mesh's own word that it sees a face."},
        "pose": {"type": ["object", "null"], "description": "yaw, pitch and roll in degrees."},
    },
)
_WHAT_IF = _object(
    "The answer if only this area's parts were visible.",
    {
        "area": _AREA,
        "emotion": _EMOTION,
        "fused": _PREDICTION,
        "contributions": _BITS,
        "notes": _NOTES,
        "words": {"type": "string", "description": "right 9 times in 10"},
    },
)
_HEATMAP = _object(
    "Class activation map of the answer's emotion.",
    {
        "emotion": _EMOTION,
        "box": _list({"type": "number"}, "Its place: x0, y0, x1, y1 in pixels.", 4),
        "png": {"type": "string", "description": "Data URL, in OpenCV's JET colours."},
    },
)
_FACE = _object(
    "One face, largest first.",
    {
        "face_id": {"type": "integer"},
        "emotion": _or_null(_EMOTION),
        "best_emotion": _or_null(_EMOTION),
        "abstained": {"type": "boolean"},
        "fused": _or_null(_PREDICTION),
        "visibility": _VISIBILITY,
        "areas": _each(_AREA, _PREDICTION, "What each area's network says, also where it shows a hidden part."),
        "hidden_areas": _list(_AREA, "Areas that show a hidden part."),
        "contributions": _BITS,
        "face": _GEOMETRY,
        "notes": _NOTES,
        "what_if": _each(_AREA, _or_null(_WHAT_IF), "Only with what_if=true."),
        "heatmap": _HEATMAP,
    },
    optional=("what_if", "heatmap"),
)
PICTURE: Schema = _object(
    "One picture; the same as one entry of mien analyze --json.",
    {
        "input": {"type": "string"},
        "status": {"enum": ["ok", "no face"]},
        "width": {"type": "integer"},
        "height": {"type": "integer"},
        "models": {"type": "string"},
        "provenance": {
            "type": "object",
            "description": "Versions, network, fingerprint, detector, prior, options, date.",
        },
        "faces": _list(_FACE),
        "preview": {"type": "string", "description": "Data URL of a JPEG; only with preview=true."},
        "rows": {
            "type": "array",
            "description": "One row a face of the table that mien analyze --out writes; only with rows=true.",
            "items": {"type": "object"},
        },
    },
    optional=("preview", "rows"),
)
