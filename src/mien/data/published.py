"""The paper's class counts (Tables 1-3), to lay beside what a copy of the data holds."""

from __future__ import annotations

from mien.types import EMOTIONS, Emotion


def _counts(*numbers: int) -> dict[Emotion, int]:
    """In the canonical order; a data set without contempt has seven numbers."""
    return dict(zip(EMOTIONS, numbers, strict=False))


PUBLISHED_COUNTS: dict[str, dict[str, dict[Emotion, int]]] = {
    "ferplus": {
        "train": _counts(11000, 8326, 3807, 3660, 2535, 151, 636, 153),
        "test": _counts(1219, 920, 429, 421, 287, 19, 88, 21),
    },
    "rafdb": {
        "train": _counts(2524, 4772, 1290, 1982, 705, 717, 281),
        "test": _counts(680, 1185, 329, 478, 162, 160, 74),
    },
    "expw": {
        "train": _counts(8309, 10576, 2471, 2494, 1272, 1250, 329),
        "test": _counts(2077, 2644, 617, 623, 318, 312, 82),
    },
}
"""Data set -> ``train`` or ``test`` -> emotion -> faces. Our validation part is carved from ``train``."""

PUBLISHED_TABLES: dict[str, str] = {"ferplus": "Table 1", "rafdb": "Table 2", "expw": "Table 3"}
"""Where the paper prints them."""
