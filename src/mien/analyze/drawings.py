"""Where drawn pictures go: no two in one place, none in the place of a picture that was given."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mien.analyze.listing import Photo
from mien.errors import UsageError, path_of, writable

LONGEST_NAME = 240
"""Bytes of a file's name; most file systems take 255, and another may be written beside it first."""
Targets = tuple[Path | None, Path | None]
"""Where a photo's drawing and its class map go."""


@dataclass(frozen=True)
class Drawings:
    """The two folders of a run.

    Attributes:
        save_image: for drawn pictures; None draws none.
        heatmap: for class maps; None draws none.

    Raises:
        UsageError: both are the same folder.
    """

    save_image: Path | None
    heatmap: Path | None

    def __post_init__(self) -> None:
        if self.save_image is not None and self.heatmap is not None and same_place(self.save_image, self.heatmap):
            raise UsageError("--save-image and --heatmap name the same place: give each a folder of its own")

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders that hold drawings, not photos."""
        return tuple(path_of(folder) for folder in (self.save_image, self.heatmap) if folder is not None)

    def targets(self, photos: Sequence[Photo]) -> dict[str, Targets]:
        """Both targets of every photo, by its ``input``.

        Raises:
            UsageError: a target is one of the photos, or lies among those of a folder, where it would be the next
                run's photo.
        """
        names = distinct_names([photo.name for photo in photos], [photo.root for photo in photos])
        targets = {
            photo.input: (_below(self.save_image, name), _below(self.heatmap, name))
            for photo, name in zip(photos, names, strict=True)
        }
        wanted = [target for both in targets.values() for target in both if target is not None]
        refuse_inputs((photo.input for photo in photos), wanted)
        listed = {_real(Path(p.input).parent) for p in photos if _real(p.root) in _real(p.input).parents}
        for folder in {target.parent for target in wanted}:
            if _real(folder) in listed:
                words = f"{writable(folder)} holds pictures to analyse: drawings in it would be taken for more of them"
                raise UsageError(words)
        return targets


def _below(folder: Path | None, name: str) -> Path | None:
    return None if folder is None else path_of(folder) / name


def same_place(one: Path, other: Path) -> bool:
    """Whether two paths lead to one place, whatever links there are between."""
    return _real(one) == _real(other)


def refuse_inputs(inputs: Iterable[str], targets: Iterable[Path | None]) -> None:
    """Make sure that nothing given is written over.

    Raises:
        UsageError: a target is an input.
    """
    given = {_real(name) for name in inputs}
    for target in targets:
        if target is not None and _real(target) in given:
            raise UsageError(f"{writable(target)} is one of the pictures to analyse: it would be drawn over")


def _real(name: Path | str) -> Path:
    try:
        return path_of(name).resolve()
    except (OSError, RuntimeError, ValueError):
        return path_of(name).absolute()


def distinct_names(names: Sequence[str], roots: Sequence[str]) -> list[str]:
    """A file name ending in .png for each picture, below one folder, no two the same even where case is ignored.

    ``a.jpg`` becomes ``a.png``; where ``a.png`` is there too, ``a.jpg.png`` and ``a.png.png``; pictures of the same
    name in several roots lie below the roots' names.
    """
    plain = [PurePosixPath(name).with_suffix(".png").as_posix() for name in names]
    whole = [f"{name}.png" for name in names]
    below = [f"{PurePosixPath(root).name or 'root'}/{name}" for root, name in zip(roots, whole, strict=True)]
    hashed = [
        str(PurePosixPath(name).with_suffix(f".{_digest(root, name)}.png"))
        for root, name in zip(roots, names, strict=True)
    ]
    chosen = plain
    for further in (whole, below, hashed):
        counts: dict[str, int] = {}
        for name in chosen:
            counts[name.casefold()] = counts.get(name.casefold(), 0) + 1
        chosen = [more if counts[name.casefold()] > 1 else name for name, more in zip(chosen, further, strict=True)]
    return [_shortened(name) for name in chosen]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(writable(part) for part in parts).encode()).hexdigest()[:10]


def _shortened(name: str) -> str:
    path = PurePosixPath(name)
    coded = path.name.encode("utf-8", "surrogateescape")
    if len(coded) <= LONGEST_NAME:
        return name
    start = coded[: LONGEST_NAME - 20].decode("utf-8", "ignore")
    return path.with_name(f"{start}.{_digest(path.name)}.png").as_posix()
