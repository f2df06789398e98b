"""Video file -> upright frames with the container's own time stamps.

Variable frame rate, rotated and mirrored phone video (display matrix), broken tails: what can be read is given, and
:attr:`VideoReader.problem` says what could not.

A file may come from anybody. It is opened as one of ``CONTAINERS``, which hold their own data: a playlist that names
other files or hosts is no video here, whatever its ending.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import InputError, MissingExtraError, writable
from mien.face.images import DEFAULT_LIMITS, Limits
from mien.types import UInt8

CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,dv,m4v,h264,hevc,vc1,mjpeg,ivf,obu,"
    "rm,nut,yuv4mpegpipe,wtv,nsv,gif"
)
"""FFmpeg's names of the formats that are opened."""
SHORT_SECONDS = 0.5
"""A file is cut when it ends this much before the length it states, or skips this much where its frames are even."""


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
        limits: ``pixels`` is the largest frame; a file may have any number of bytes, since it is never in memory whole.

    Attributes:
        duration: seconds, as the container states it; None where it does not.
        rate: mean frames per second, as the container states it; None where it does not.
        frames_read: decoded so far.
        problem: one sentence on what could not be read so far; empty where all was well.

    Raises:
        InputError: missing, not a video, or its frames are too large.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path = path
        self.problem = ""
        self.frames_read = 0
        self._limits = limits
        self._damage = _Damage()
        self._av = import_av()
        shown = writable(path)
        if not path.is_file():
            raise InputError(f"{shown}: {_absence(path)}")
        try:
            # An absolute path, since FFmpeg takes 12:30.mp4 for a protocol called 12.
            options = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
            self._container = self._av.open(str(path.absolute()), options=options)
        except (self._av.error.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{shown} cannot be read as a video ({_words(error)})") from error
        try:
            self._stream = self._open_stream(shown)
        except BaseException:
            self._container.close()
            raise
        self.duration = self._seconds(self._container.duration)
        self.rate = float(self._stream.average_rate) if self._stream.average_rate else None

    def _open_stream(self, shown: str) -> Any:
        """The video stream, decoded in one thread: with several, errors in the last frames are lost."""
        stream = self._container.streams.best("video")
        if stream is None or stream.codec_context is None:
            raise InputError(f"{shown} holds no video stream that can be decoded")
        if stream.width * stream.height > self._limits.pixels:
            raise InputError(f"{shown}: frames of {stream.width} x {stream.height} pixels are too large")
        stream.codec_context.thread_count = 1
        return stream

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
        start = self._start
        time, step, due = -1.0, 1.0 / (self.rate or 25.0), 0.0
        for index, frame in enumerate(self._decoded()):
            stated = None if frame.time is None else float(frame.time) - start
            time = stated if stated is not None and stated > time else max(time + step, 0.0)
            self.frames_read = index + 1
            self._damage.frame(time, bool(frame.is_corrupt))
            if at_most is not None:
                if time < due - 1e-6:
                    continue
                due = max(due + 1.0 / at_most, time) if time - due > 1.0 / at_most else due + 1.0 / at_most
            if index >= first:
                yield VideoFrame(index, round(time, 6), upright(frame))
        self.problem = self._damage.sentence(self._frames_stated, self.duration, step)

    @property
    def _frames_stated(self) -> int:
        """0 where the container does not say; AVI also counts the frames that a camera dropped."""
        return 0 if self._container.format.name == "avi" else int(self._stream.frames)

    @property
    def _start(self) -> float:
        return self._seconds(self._container.start_time) or 0.0

    def _decoded(self) -> Iterator[Any]:
        """Frames in order of presentation; a packet that cannot be decoded is left out, a broken file ends."""
        errors, start = (self._av.error.FFmpegError, ValueError), self._start
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except errors as error:
                self._damage.end = _words(error)
                return
            mine = packet.stream.index == self._stream.index
            self._damage.packet(packet, start, mine)
            if not mine:  # sound and subtitles tell how far the file reaches
                continue
            try:
                frames = packet.decode()
            except errors:
                self._damage.packets += 1
                continue
            for frame in frames:
                if frame.width * frame.height > self._limits.pixels:
                    self._damage.end = f"a frame of {frame.width} x {frame.height} pixels is too large"
                    return
                yield frame


class _Damage:
    """What is wrong with a video, gathered while it is read.

    Attributes:
        packets: that could not be decoded.
        end: why reading broke off, in words.
    """

    def __init__(self) -> None:
        self.packets = 0
        self.end = ""
        self._frames = self._corrupt = self._seen = 0
        self._reached = 0.0
        self._last: float | None = None
        self._steps: Counter[float] = Counter()
        self._gap = (0.0, 0.0)

    def packet(self, packet: Any, start: float, mine: bool) -> None:
        """Take note of a packet of any stream."""
        self._seen += mine and packet.size > 0
        if packet.pts is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base) - start
            self._reached = max(self._reached, end)

    def frame(self, time: float, corrupt: bool) -> None:
        """Take note of a decoded frame."""
        self._frames += 1
        self._corrupt += corrupt
        if self._last is not None:
            self._steps[round(time - self._last, 3)] += 1
            self._gap = max(self._gap, (self._last, time), key=lambda gap: gap[1] - gap[0])
        self._last = time

    def sentence(self, stated_frames: int, duration: float | None, step: float) -> str:
        """What is wrong, in one sentence; empty where nothing is."""
        found = []
        if self.packets:
            found.append(f"{self.packets} damaged {'packet was' if self.packets == 1 else 'packets were'} left out")
        if self._corrupt:
            found.append(f"{self._corrupt} {'frame is' if self._corrupt == 1 else 'frames are'} damaged")
        if self._skips(step):
            found.append(f"frames are missing from {self._gap[0]:.1f} to {self._gap[1]:.1f} s")
        if self.end:
            found.append(f"the file breaks off after {self._frames} frames ({self.end})")
        elif stated_frames and self._seen < stated_frames:
            found.append(f"the file ends after {self._seen} of {stated_frames} frames")
        elif duration is not None and duration - self._reached > max(SHORT_SECONDS, 3 * step):
            found.append(f"the file ends at {self._reached:.1f} of {duration:.1f} s")
        return "; ".join(found)

    def _skips(self, step: float) -> bool:
        """A long step among even ones; a video of uneven frames may stand still for as long as it likes."""
        if not self._steps:
            return False
        usual = max(self._steps, key=lambda length: self._steps[length])
        even = sum(n for length, n in self._steps.items() if abs(length - usual) <= 0.1 * usual + 0.0015)
        return even >= 0.95 * self._steps.total() and self._gap[1] - self._gap[0] > max(SHORT_SECONDS, 3 * usual, step)


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


def _absence(path: Path) -> str:
    if path.is_dir():
        return "is a folder"
    return "is a device or a named pipe, not a file" if path.exists() else "there is no such file"


def _words(error: Exception) -> str:
    """FFmpeg's own words, without the number and the path."""
    return str(getattr(error, "strerror", None) or error)
