"""Video file -> upright frames with the container's own time stamps.

Variable frame rate, rotated and mirrored phone video (display matrix), broken tails: what can be read is given, and
:attr:`VideoReader.problem` says what could not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import InputError, MissingExtraError
from mien.types import UInt8

MAX_FRAME_PIXELS = 64_000_000
"""Frames beyond this many pixels (8K is 33 million) are refused."""


def import_av() -> Any:
    """PyAV.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("PyAV", "video", "reading video") from error
    return av


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One frame.

    Attributes:
        index: 0, 1, 2, ... in order of presentation.
        time: seconds since the container's start, as the container states it (never index / rate).
        pixels: uint8 [H, W, 3], RGB, upright, values in [0, 255].
    """

    index: int
    time: float
    pixels: UInt8


class VideoReader:
    """A video file, read from its start; iterate over it for its frames. Use as a context manager.

    Args:
        path: the file.

    Attributes:
        duration: seconds, as the container states it; None where it does not.
        rate: mean frames per second, as the container states it; None where it does not.
        frames_read: decoded so far.
        problem: one sentence on what could not be read so far; empty where all was well.

    Raises:
        InputError: missing, not a video, or its frames are too large.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        self.frames_read = 0
        self._av = import_av()
        if not path.is_file():
            raise InputError(f"{path}: there is no such file")
        try:
            self._container = self._av.open(str(path))
        except (self._av.error.FFmpegError, OSError) as error:
            raise InputError(f"{path} cannot be read as a video ({_words(error)})") from error
        if not self._container.streams.video:
            self._container.close()
            raise InputError(f"{path} holds no video stream")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        if self._stream.width * self._stream.height > MAX_FRAME_PIXELS:
            self._container.close()
            raise InputError(f"{path}: frames of {self._stream.width} x {self._stream.height} pixels are too large")
        self.duration = self._seconds(self._container.duration)
        self.rate = float(self._stream.average_rate) if self._stream.average_rate else None

    def _seconds(self, ticks: int | None) -> float | None:
        return None if ticks is None or ticks < 0 else ticks / float(self._av.time_base)

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    @property
    def frames_expected(self) -> int | None:
        """How many frames there should be; None where the container does not say."""
        if self._stream.frames:
            return int(self._stream.frames)
        return round(self.duration * self.rate) if self.duration and self.rate else None

    def __iter__(self) -> Iterator[VideoFrame]:
        return self.frames()

    def frames(self, first: int = 0, at_most: float | None = None) -> Iterator[VideoFrame]:
        """The frames, in order of presentation; may be called once.

        Args:
            first: index of the first frame wanted; those before are only decoded.
            at_most: frames a second of video; what comes sooner after a given frame is left out. None gives all.
        """
        start = self._seconds(self._container.start_time) or 0.0
        time, step, due = -1.0, 1.0 / (self.rate or 25.0), 0.0
        for index, frame in enumerate(self._decoded()):
            stated = None if frame.time is None else float(frame.time) - start
            time = stated if stated is not None and stated > time else max(time + step, 0.0)
            self.frames_read = index + 1
            if at_most is not None:
                if time < due - 1e-6:
                    continue
                due = max(due + 1.0 / at_most, time) if time - due > 1.0 / at_most else due + 1.0 / at_most
            if index >= first:
                yield VideoFrame(index, round(time, 6), upright(frame))

    def _decoded(self) -> Iterator[Any]:
        """Frames in order of presentation; a packet that cannot be decoded is left out, a broken file ends."""
        damaged = n_frames = 0
        errors = self._av.error.FFmpegError
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except errors as error:
                self.problem = f"the file breaks off after {n_frames} frames ({_words(error)})"
                return
            try:
                frames = packet.decode()
            except errors:
                damaged += 1
                continue
            finally:
                if damaged:
                    self.problem = f"{damaged} damaged {'packet was' if damaged == 1 else 'packets were'} left out"
            for frame in frames:
                n_frames += 1
                yield frame
        expected = int(self._stream.frames)
        if expected and n_frames < expected and not self.problem:
            self.problem = f"the file ends after {n_frames} of {expected} frames"


def upright(frame: Any) -> UInt8:
    """uint8 [H, W, 3], RGB, of a PyAV frame, turned and mirrored as its display matrix says."""
    pixels: UInt8 = frame.to_ndarray(format="rgb24")
    a, b, c, d = _display_matrix(frame)
    if abs(a) < abs(b):
        pixels, flip_x, flip_y = pixels.transpose(1, 0, 2), c < 0, b < 0
    else:
        flip_x, flip_y = a < 0, d < 0
    pixels = pixels[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
    return np.ascontiguousarray(pixels)


def _display_matrix(frame: Any) -> tuple[int, int, int, int]:
    """(a, b, c, d) of ISO/IEC 14496-12's matrix: shown x' = a x + c y, y' = b x + d y."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            matrix = np.frombuffer(bytes(data), np.int32)
            return int(matrix[0]), int(matrix[1]), int(matrix[3]), int(matrix[4])
    return 1, 0, 0, 1


def _words(error: Exception) -> str:
    """FFmpeg's own words, without the number and the path."""
    return str(getattr(error, "strerror", None) or error)
