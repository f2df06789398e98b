"""Data sets in the exact official layouts, with drawn pictures. Every function writes below ``root`` and returns it."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from mien.data.selection import VOTE_COLUMNS
from mien.types import UInt8

USAGES = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
FerRow = tuple[str, str, Sequence[int]]
"""Usage, picture's name ("" where FER+ dropped it), ten votes."""


def drawn_face(number: int, side: int = 48) -> UInt8:
    """uint8 [side, side]: an oval with eyes, nose and mouth; every number another one."""
    generator = np.random.default_rng(number)
    canvas = np.full((192, 192), int(generator.integers(20, 90)), np.uint8)
    x, y = 96 + generator.integers(-8, 9, 2)
    skin, dark = int(generator.integers(150, 230)), int(generator.integers(10, 60))
    cv2.ellipse(canvas, (int(x), int(y)), (62, 82), 0, 0, 360, skin, -1)
    for side_of_nose in (-1, 1):
        cv2.ellipse(canvas, (int(x) + 26 * side_of_nose, int(y) - 20), (12, 7), 0, 0, 360, dark, -1)
        cv2.line(canvas, (int(x) + 12 * side_of_nose, int(y) - 38), (int(x) + 40 * side_of_nose, int(y) - 40), dark, 5)
    cv2.line(canvas, (int(x), int(y) - 10), (int(x) - 6, int(y) + 18), dark, 3)
    cv2.ellipse(canvas, (int(x), int(y) + 42), (26, int(generator.integers(3, 18))), 0, 0, 180, dark, -1)
    noisy = canvas + generator.normal(0, 4, canvas.shape)
    small = cv2.resize(np.clip(noisy, 0, 255).astype(np.uint8), (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def write_picture(path: Path, gray: UInt8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), gray)


def write_lines(path: Path, lines: Iterable[str], newline: str = "\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + newline for line in lines).encode())


def votes(**given: int) -> list[int]:
    """Ten votes in FER+ order: ``votes(happiness=9, neutral=1)``."""
    return [given.get(column, 0) for column in VOTE_COLUMNS]


def plain_ferplus_rows(n: int = 40) -> list[FerRow]:
    """n rows without any trap: four emotions in turn, every fifth for PrivateTest, every seventh for PublicTest."""
    emotions = ("neutral", "happiness", "surprise", "sadness")
    rows: list[FerRow] = []
    for i in range(n):
        usage = "PrivateTest" if i % 5 == 4 else "PublicTest" if i % 7 == 6 else "Training"
        rows.append((usage, f"fer{i:07d}.png", votes(**{emotions[i % 4]: 9, "unknown": 1})))
    return rows


def write_fer2013new(root: Path, rows: Sequence[FerRow], newline: str = "\n") -> None:
    head = ",".join(["Usage", "Image name", *VOTE_COLUMNS])
    lines = [f"{usage},{name},{','.join(map(str, counts))}" for usage, name, counts in rows]
    write_lines(root / "fer2013new.csv", [head, *lines], newline)


def ferplus_folders(root: Path, rows: Sequence[FerRow], newline: str = "\n", side: int = 48) -> Path:
    """Microsoft's folders beside fer2013new.csv."""
    write_fer2013new(root, rows, newline)
    for usage, folder in USAGES.items():
        named = [(name, counts) for use, name, counts in rows if use == usage and name]
        lines = [
            f'{name},"(0, 0, {side}, {side})",{",".join(map(str, counts))}' for name, counts in dict(named).items()
        ]
        write_lines(root / folder / "label.csv", lines, newline)
        for name, _ in named:
            write_picture(root / folder / name, drawn_face(int(name[3:10]), side))
    return root


def ferplus_kaggle(root: Path, rows: Sequence[FerRow], file: str = "fer2013.csv", newline: str = "\n") -> Path:
    """Kaggle's csv beside fer2013new.csv, row by row the same faces."""
    root.mkdir(parents=True, exist_ok=True)
    write_fer2013new(root, rows, newline)
    older = file == "fer2013.csv"
    lines = ["emotion,pixels,Usage" if older else "emotion, Usage, pixels"]
    for usage, name, _ in rows:
        face = drawn_face(int(name[3:10])) if name else np.zeros((48, 48), np.uint8)
        pixels = " ".join(map(str, face.ravel()))
        lines.append(f"0,{pixels},{usage}" if older else f"0,{usage},{pixels}")
    write_lines(root / file, lines, newline)
    return root


def zipped(folder: Path, target: Path, below: str = "") -> Path:
    """A zip of a folder, its content below ``below`` ("" or ending with /)."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, below + path.relative_to(folder).as_posix())
    return target


RAFDB_LINES = [f"train_{i:05d}.jpg {i % 7 + 1}" for i in range(1, 71)] + [
    f"test_{i:04d}.jpg {i % 7 + 1}" for i in range(1, 22)
]


def rafdb_official(root: Path, lines: Sequence[str] = tuple(RAFDB_LINES), newline: str = "\n") -> Path:
    """The basic subset as its authors ship it, aligned pictures only."""
    write_lines(root / "EmoLabel" / "list_patition_label.txt", lines, newline)
    for number, line in enumerate(lines):
        stem = line.split(" ")[0].removesuffix(".jpg")
        write_picture(root / "Image" / "aligned" / f"{stem}_aligned.jpg", drawn_face(number, 100))
    return root


def rafdb_repack(root: Path, lines: Sequence[str] = tuple(RAFDB_LINES), tables: bool = True) -> Path:
    """Kaggle's re-pack."""
    rows: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    for number, line in enumerate(lines):
        name, label = line.split(" ")
        part, picture = name.split("_")[0], name.replace(".jpg", "_aligned.jpg")
        rows[part].append((picture, label))
        write_picture(root / "DATASET" / part / label / picture, drawn_face(number, 100))
    for part in rows if tables else ():
        with (root / f"{part}_labels.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("image", "label"), *rows[part]])
    return root


def photo(faces: int, side: int = 80) -> UInt8:
    """uint8 [100, 100 * faces]: faces beside each other, each in a square of ``side`` pixels, 10 from the top left."""
    canvas = np.full((100, 100 * faces), 120, np.uint8)
    for i in range(faces):
        canvas[10 : 10 + side, 100 * i + 10 : 100 * i + 10 + side] = drawn_face(i, side)
    return canvas


def expw_line(name: str, face: int, box: tuple[int, int, int, int], confidence: float, label: int | str) -> str:
    """``box`` is (top, left, right, bottom), the order of ExpW."""
    return f"{name} {face} {box[0]} {box[1]} {box[2]} {box[3]} {confidence:g} {label}"


def plain_expw_lines(photos: int = 40) -> list[str]:
    """One to three faces a photo, boxes exactly around them, all labels in turn."""
    lines = []
    for i in range(photos):
        for face in range(i % 3 + 1):
            box = (10, 100 * face + 10, 100 * face + 90, 90)
            lines.append(expw_line(f"photo_{i:03d}.jpg", face, box, 61 + i % 30, (i + 2 * face) % 7))
    return lines


def expw(root: Path, lines: Sequence[str], newline: str = "\n", pictures: bool = True) -> Path:
    """The official layout; every photo is large enough for three faces."""
    write_lines(root / "label" / "label.lst", lines, newline)
    for name in sorted({line.split(" ")[0] for line in lines if line.strip()}) if pictures else ():
        write_picture(root / "image" / "origin" / name, photo(3))
    return root
