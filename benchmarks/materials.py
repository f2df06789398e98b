"""What is measured on: photos, folders and a video, all made from the bundled photo and two of scikit-learn's.

The same call makes the same files, so that two machines can be compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.assets import SAMPLE

UInt8 = npt.NDArray[np.uint8]
SIZES = (400, 512, 640, 800, 1024, 1280, 1600)
"""Longer sides in pixels of most photos of a folder."""
LARGE = (4000, 3000)
"""12 megapixels: one photo in twenty."""


def photo_with_face() -> Path:
    """512 x 512 pixels, one face."""
    return SAMPLE


def photo_without_face(folder: Path) -> Path:
    """512 x 512 pixels of a temple and its garden."""
    path = folder / "no_face.jpg"
    cv2.imwrite(str(path), cv2.resize(_scenes()[0], (512, 512), interpolation=cv2.INTER_AREA))
    return path


def large_photo(folder: Path) -> Path:
    """12 megapixels, one face of 650 pixels in a landscape."""
    path = folder / "large.jpg"
    cv2.imwrite(str(path), _large(_face(), np.random.default_rng(0)))
    return path


def photos(folder: Path, count: int, seed: int = 0) -> Path:
    """A folder of mixed photos: a third without a face, one in twenty of 12 megapixels."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    face, scenes = _face(), _scenes()
    for number in range(count):
        picture = face if number % 3 else scenes[number % len(scenes)]
        if number % 20 == 7:
            picture = _large(picture, generator)
        else:
            picture = _varied(picture, int(generator.choice(SIZES)), generator)
        cv2.imwrite(str(folder / f"{number:05d}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return folder


def video(folder: Path, frames: int = 150, rate: int = 25) -> Path:
    """720p, one face of about 200 pixels that moves and grows."""
    import av

    path, face, scene = folder / "one_face_720p.mp4", _face(), cv2.resize(_scenes()[0], (1280, 720))
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for k in range(frames):
            side, frame = round(620 + 60 * np.sin(k / 40)), scene.copy()
            x, y = round(300 + 200 * np.sin(k / 30)), round((720 - side) / 2)
            frame[y : y + side, x : x + side] = cv2.resize(face, (side, side))
            picture: Any = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[..., ::-1], np.uint8), format="rgb24")
            file.mux(stream.encode(picture))
        file.mux(stream.encode())
    return path


def _face() -> UInt8:
    return np.asarray(cv2.imread(str(SAMPLE)), np.uint8)


def _scenes() -> list[UInt8]:
    """Two photos without people, BGR."""
    from sklearn.datasets import load_sample_image

    return [np.asarray(load_sample_image(name)[..., ::-1], np.uint8) for name in ("china.jpg", "flower.jpg")]


def _varied(picture: UInt8, side: int, generator: np.random.Generator) -> UInt8:
    height, width = picture.shape[:2]
    cut = generator.uniform(0, 0.08, 4)
    y0, y1, x0, x1 = (round(v) for v in (height * cut[0], height * (1 - cut[1]), width * cut[2], width * (1 - cut[3])))
    piece = picture[y0:y1, x0:x1][:, :: int(generator.choice((-1, 1)))]
    scale = side / max(piece.shape[:2])
    resized = cv2.resize(np.ascontiguousarray(piece), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(resized * generator.uniform(0.7, 1.2), 0, 255), np.uint8)


def _large(picture: UInt8, generator: np.random.Generator) -> UInt8:
    """The picture in the middle of 12 megapixels of landscape, its grain with it."""
    scene = cv2.resize(_scenes()[1], LARGE, interpolation=cv2.INTER_CUBIC)
    scale = 2000 / max(picture.shape[:2])
    inner = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    y, x = (LARGE[1] - inner.shape[0]) // 2, (LARGE[0] - inner.shape[1]) // 2
    scene[y : y + inner.shape[0], x : x + inner.shape[1]] = inner
    grain = generator.normal(0, 4, scene.shape[:2])[..., None]
    return np.asarray(np.clip(scene + grain, 0, 255), np.uint8)
