"""dlib's 68 landmarks by name: the one place that knows which number lies where. Right and left are the person's."""

from __future__ import annotations

JAW = slice(0, 17)
RIGHT_BROW = slice(17, 22)
LEFT_BROW = slice(22, 27)
BROWS = slice(17, 27)
NOSE = slice(27, 36)
"""Bridge and base; the published nose area begins one point lower (``areas.PART_LANDMARKS``)."""
RIGHT_EYE = slice(36, 42)
LEFT_EYE = slice(42, 48)
EYES = slice(36, 48)
MOUTH = slice(48, 68)
LIPS = slice(48, 60)
"""Their outer line."""

RIGHT_EAR, CHIN, LEFT_EAR = 0, 8, 16
"""Ends and middle of the jaw's line."""
NOSE_TIP = 30
RIGHT_CORNER, LEFT_CORNER = 36, 45
"""The eyes' outer corners."""
MOUTH_CORNERS = (48, 54)


def indices(*lines: slice) -> tuple[int, ...]:
    """0-based numbers of the landmarks of these lines."""
    return tuple(number for line in lines for number in range(line.start, line.stop))
