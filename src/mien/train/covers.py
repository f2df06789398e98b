"""Real covers and faces looked at by eye, gathered for training views (``mien.train.views``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mien.data.cache import FaceCache
from mien.data.covered import CoveredFace, read_covered
from mien.errors import DatasetError
from mien.face import images
from mien.face.crops import Canvas, canvas_of
from mien.face.spec import CropSpec
from mien.train.resnet_run import ViewData
from mien.train.views import Donor, Seen
from mien.types import Face

MASKED = {"right_eye": 0, "left_eye": 0, "nose": 2, "mouth": 2}
"""What is hidden of a face with a mask."""
BARE = {"right_eye": 0, "left_eye": 0, "nose": 0, "mouth": 0}
FACE_SIZE = CropSpec().face_size
ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


def view_data(
    cache: FaceCache,
    covered: Path | str | None,
    photos: Path | str | None,
    find: Callable[[Path], Face | None] | None = None,
) -> ViewData:
    """Everything that training views are made from.

    Args:
        cache: the data set; its training faces are used.
        covered: table of training faces looked at by eye (``mien.data.covered``); None: none.
        photos: folder with ``with_mask`` and ``without_mask``, one photo a person; None: none.
        find: the largest face of a photo, None where there is none; needed with ``photos``.
    """
    rows = cache.rows("train", "any")
    looked_at = _by_row(cache, read_covered(covered)) if covered else {}
    donors = [Donor(cache.canvas(row), face.hidden) for row, face in looked_at.items() if face.hidden]
    seen: list[Seen] = []
    if photos is not None and find is not None:
        masked, bare = (photo_canvases(Path(photos) / name, find) for name in ("with_mask", "without_mask"))
        donors += [Donor(canvas, ("nose", "mouth"), mask=True) for canvas in masked]
        seen += [Seen(canvas, MASKED) for canvas in masked] + [Seen(canvas, BARE) for canvas in bare]
    scores: dict[int, Mapping[str, int]] = {row: face.scores for row, face in looked_at.items()}
    return ViewData(cache, rows, scores, tuple(donors), tuple(seen))


def photo_canvases(folder: Path, find: Callable[[Path], Face | None]) -> list[Canvas]:
    """The largest face of every photo in a folder, where one is found.

    Raises:
        DatasetError: the folder holds no photos.
    """
    paths = sorted(path for path in folder.expanduser().glob("*") if path.suffix.lower() in ENDINGS)
    if not paths:
        raise DatasetError(f"{folder} holds no photos")
    canvases = []
    for path in paths:
        face = find(path)
        if face is not None:
            gray = images.to_gray(images.load(path))
            canvases.append(canvas_of(gray, face.landmarks, FACE_SIZE, "cubic"))
    return canvases


def _by_row(cache: FaceCache, table: Mapping[str, CoveredFace]) -> dict[int, CoveredFace]:
    """Faces looked at by eye that stand in the training split, by their row."""
    places = {name: row for row, name in enumerate(cache.index["id"])}
    train = set(cache.rows("train", "any").tolist())
    return {places[name]: face for name, face in table.items() if places.get(name) in train}
