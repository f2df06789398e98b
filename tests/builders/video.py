"""Videos with the sample's face in them, written frame by frame with the time stamps one asks for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.trust.folder import SHIPPED
from mien.types import UInt8

WIDTH, HEIGHT = 320, 240
TICKS = 1000


def face_of(photo: UInt8) -> UInt8:
    """uint8 [207, 187, 3]: head and shoulders of the sample."""
    return photo[23:230, 129:316]


def background() -> UInt8:
    noise = np.random.default_rng(0).integers(60, 200, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 6), np.uint8)


def place(frame: UInt8, face: UInt8, centre: tuple[float, float], scale: float, covered: bool = False) -> UInt8:
    """The face laid on a frame; ``covered`` hides the mouth behind a blue cloth."""
    height, width = face.shape[:2]
    matrix = np.array([[scale, 0, centre[0] - scale * width / 2], [0, scale, centre[1] - scale * height / 2]])
    canvas = frame.copy()
    cv2.warpAffine(face, matrix, (WIDTH, HEIGHT), dst=canvas, borderMode=cv2.BORDER_TRANSPARENT)
    if covered:
        x0, y0 = round(centre[0] - scale * 48), round(centre[1] + scale * 14)
        x1, y1 = round(centre[0] + scale * 48), round(centre[1] + scale * 64)
        cv2.rectangle(canvas, (x0, y0), (x1, y1), (60, 90, 160), -1)
    return canvas


def moving_face(photo: UInt8, times: Iterable[float], covered: tuple[float, float] = (0.0, 0.0)) -> list[UInt8]:
    """A face that wanders, comes nearer and goes away again; its mouth is covered in ``covered`` (seconds)."""
    face, scene = face_of(photo), background()
    frames = []
    for t in times:
        centre = (160 + 60 * np.sin(0.5 * t), 120 + 15 * np.sin(0.9 * t))
        frames.append(place(scene, face, centre, 0.75 + 0.15 * np.sin(0.7 * t), covered[0] <= t < covered[1]))
    return frames


def write_video(
    path: Path,
    frames: Iterable[UInt8],
    times: Iterable[float],
    rotation: int = 0,
    container: dict[str, str] | None = None,
) -> Path:
    """H.264 with these times in seconds; ``rotation`` goes into the display matrix, in degrees.

    ``container`` are the muxer's options.
    """
    av = pytest.importorskip("av", reason="the extra 'video' is not installed")
    options = container or {}
    with av.open(str(path), "w", format="mpegts" if path.suffix in (".ts", ".mts") else None, options=options) as file:
        stream = file.add_stream("libx264", rate=30, options={"preset": "veryfast", "g": "20"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
        if rotation:
            stream.set_display_rotation(rotation)
        for pixels, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def seeing_models(tiny_models: Path, folder: Path) -> Path:
    """Tiny networks with the shipped network that finds hidden parts."""
    manifest = json.loads((SHIPPED / "manifest.json").read_text())
    shutil.copytree(tiny_models, folder, dirs_exist_ok=True)
    entries = manifest["networks"]["resnet"]
    shutil.copy(SHIPPED / entries["whole_face"]["file"], folder / "seeing.onnx")
    tiny = json.loads((folder / "manifest.json").read_text())
    tiny["networks"]["resnet"] = {area: {**entry, "file": "seeing.onnx"} for area, entry in entries.items()}
    (folder / "manifest.json").write_text(json.dumps(tiny))
    return folder
