"""What the paper reports, as far as our copy gives it: the only figures in the report that were not measured here.

Lian, Li, Tao, Huang, Niu: "Expression Analysis Based on Face Regions in Real-world Conditions", International Journal
of Automation and Computing 17(1), 96-107, 2020.
"""

from __future__ import annotations

from mien.types import AREAS, Area

CITATION = (
    "Lian, Li, Tao, Huang, Niu: Expression Analysis Based on Face Regions in Real-world Conditions. "
    "International Journal of Automation and Computing 17(1), 96-107, 2020."
)

DOI = "10.1007/s11633-019-1176-9"

TITLES = {"ferplus": "FER+", "rafdb": "RAF-DB", "expw": "ExpW"}

PADDING: dict[Area, tuple[float, float]] = dict(
    zip(
        AREAS,
        (
            (55.12, 60.07),
            (44.43, 49.02),
            (40.16, 50.20),
            (56.68, 63.14),
            (58.41, 58.87),
            (67.63, 67.83),
            (77.31, 82.69),
        ),
        strict=True,
    )
)
"""Table 5: test accuracy in percent on RAF-DB without and with padding."""

TEST_ACCURACY: dict[str, dict[Area, float]] = {
    "ferplus": {Area.WHOLE_FACE: 81.93},
    "rafdb": {area: padded for area, (_, padded) in PADDING.items()},
}
"""Table 6, as far as our copy gives it: FER+ for the whole face; for RAF-DB the padded column of Table 5."""

LANDMARKS: dict[Area, str] = {
    Area.MOUTH: "49-68",
    Area.NOSE: "29-36",
    Area.EYES: "18-22, 37-42",
    Area.NOSE_MOUTH: "29-36, 49-68",
    Area.NOSE_EYES: "18-22, 29-36, 37-42",
    Area.MOUTH_EYES: "18-22, 37-42, 49-68",
    Area.WHOLE_FACE: "1-68",
}
"""Table 4: dlib's landmarks of each area, 1-based, inclusive."""

OTHERS: dict[str, dict[str, float]] = {
    "test3137": {"VGG13": 85.1, "RAN": 89.2},
    "occlusion": {"RAN": 83.6, "D3FER": 87.6},
    "pose30": {"RAN": 82.2},
    "pose45": {"RAN": 80.4},
}
"""Accuracy in percent that others report on Wang et al.'s lists over the FER+ test split."""
