"""How large a picture may be, and how long and how much memory the work on it may take."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mien.errors import UsageError


@dataclass(frozen=True)
class Limits:
    """What a picture, and the work on it, may have: the same for one photo, a folder, a video and the server.

    Attributes:
        pixels: largest width x height, of a picture or of a video's frame; refused before it is decoded.
        bytes: largest file of a picture; a video, which is never in memory whole, may have any.
        seconds: longest work on one picture or frame.
        memory: bytes that a process which analyses may use.
    """

    pixels: int = 100_000_000
    bytes: int = 200_000_000
    seconds: float = 60.0
    memory: int = 4_000_000_000

    def __post_init__(self) -> None:
        if not all(0 < value < math.inf for value in (self.pixels, self.bytes, self.seconds, self.memory)):
            raise UsageError("the limits on pixels, bytes, seconds and memory must be positive")


DEFAULT_LIMITS = Limits()
