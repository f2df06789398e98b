from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from builders.data import expw, expw_line, photo, plain_expw_lines, write_picture, zipped
from mien.data import inspect, load_gray, read
from mien.errors import DatasetError, ImageError
from mien.types import Emotion

OFFICIAL_LABELS = [
    Emotion.ANGER, Emotion.DISGUST, Emotion.FEAR, Emotion.HAPPINESS, Emotion.SADNESS, Emotion.SURPRISE, Emotion.NEUTRAL,
]  # fmt: skip


def test_labels_boxes_and_ids(tmp_path: Path) -> None:
    """The second face of a photo, cut by top, left, right, bottom, is that face and no other."""
    lines = [expw_line("a b.jpg", 0, (10, 10, 90, 90), 99, 3)] + [
        expw_line("three.jpg", i, (10, 100 * i + 10, 100 * i + 90, 90), 70.5, i) for i in range(3)
    ]
    root = expw(tmp_path, lines, pictures=False)
    for name in ("a b", "three"):  # lossless, whatever the name says
        write_picture(root / "image" / "origin" / f"{name}.png", photo(3))
        (root / "image" / "origin" / f"{name}.png").rename(root / "image" / "origin" / f"{name}.jpg")
    dataset = read("expw", root)
    assert not dataset.problems
    assert [s.id for s in dataset.samples] == ["a b.jpg#0", "three.jpg#0", "three.jpg#1", "three.jpg#2"]
    assert [s.label for s in dataset.samples] == [Emotion.HAPPINESS, Emotion.ANGER, Emotion.DISGUST, Emotion.FEAR]
    second = dataset.samples[2]
    assert second.box is not None
    assert second.box.tolist() == [110, 10, 190, 90]  # x0, y0, x1, y1
    assert (load_gray(second) == photo(3)[10:90, 110:190]).all()


def test_every_official_label(tmp_path: Path) -> None:
    lines = [expw_line(f"{i}.jpg", 0, (10, 10, 90, 90), 99, i) for i in range(7)]
    assert [s.label for s in read("expw", expw(tmp_path, lines)).samples] == OFFICIAL_LABELS


def test_confidence_must_exceed_60(tmp_path: Path) -> None:
    lines = plain_expw_lines(20)
    lines += [expw_line("photo_000.jpg", 7, (10, 10, 90, 90), c, 3) for c in (60, 59.9, -3)]
    lines += [expw_line("photo_001.jpg", 7, (10, 10, 90, 90), 60.01, 3)]
    dataset = read("expw", expw(tmp_path, lines))
    assert dataset.left_out == {"confidence of 60 or less": 3}
    assert not dataset.problems
    ids = {s.id for s in dataset.samples}
    assert "photo_001.jpg#7" in ids
    assert "photo_000.jpg#7" not in ids


def test_default_split_keeps_a_photos_faces_together_and_the_published_one_does_not(tmp_path: Path) -> None:
    root = expw(tmp_path, plain_expw_lines(80))
    sides: dict[str, set[str]] = {}
    grouped, published = read("expw", root), read("expw", root, split_rule="published")
    for sample in grouped.samples:
        sides.setdefault(sample.id.split("#")[0], set()).add(sample.split)
    assert all(len(found) == 1 for found in sides.values())
    torn: dict[str, set[str]] = {}
    for sample in published.samples:
        torn.setdefault(sample.id.split("#")[0], set()).add("test" if sample.split == "test" else "train")
    assert any(len(found) == 2 for found in torn.values())
    assert grouped.rule["split"] == "default"
    assert published.rule["split"] == "published"
    for dataset in (grouped, published):
        counts = dataset.counts()
        share = counts.loc["test"] / counts.sum()
        assert ((share <= 0.2) | counts.sum().eq(0)).all()
        assert counts.loc["test", "total"] >= 0.15 * counts["total"].sum()
        assert counts.loc["validation", "total"] > 0
    exact = published.counts()
    assert (exact.loc["test"].drop("total") == exact.drop(columns="total").sum() // 5).all()


def test_crlf_and_zip_are_the_same_faces(tmp_path: Path) -> None:
    lines = plain_expw_lines(12)
    expected = [(s.id, s.split) for s in read("expw", expw(tmp_path / "a", lines)).samples]
    assert [(s.id, s.split) for s in read("expw", expw(tmp_path / "b", lines, newline="\r\n")).samples] == expected
    archive = zipped(tmp_path / "a", tmp_path / "a.zip", "ExpW/")
    dataset = read("expw", archive)
    assert [(s.id, s.split) for s in dataset.samples] == expected
    assert load_gray(dataset.samples[1]).shape == (80, 80)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("photo_000.jpg 0 10 10 90 90 99 7", "has the unknown label '7' (0 to 6 are known)"),
        ("photo_000.jpg 0 10 10 90 90 99 happy", "has the unknown label 'happy'"),
        ("photo_000.jpg 0 10 10 90 90 3", "expected image_name face_id_in_image"),
        ("photo_000.jpg 0 10 ten 90 90 99 3", "expected image_name face_id_in_image"),
        ("photo_000.jpg 0 10 nan 90 90 99 3", "expected image_name face_id_in_image"),
        ("photo_000.jpg 0 90 10 90 10 99 3", "the box of photo_000.jpg face 0 is empty"),
        ("gone.jpg 0 10 10 90 90 99 3", "the picture image/origin/gone.jpg is missing"),
        ("photo_001.jpg 0 10 10 90 90 99 5", "photo_001.jpg#0 is named 2 times and differently"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    root = expw(tmp_path, plain_expw_lines(12))
    list_ = root / "label" / "label.lst"
    lines = list_.read_text().splitlines()
    list_.write_text("\n".join([line, *lines[1:]]))
    dataset = read("expw", root)
    assert any(words in str(p) for p in dataset.problems), dataset.problems
    assert dataset.problems[0].where.startswith("label/label.lst, line 1")
    assert len(dataset.samples) >= len(lines) - 2


def test_boxes_that_leave_the_photo(tmp_path: Path) -> None:
    lines = [
        *plain_expw_lines(8),
        expw_line("photo_000.jpg", 8, (-20, -5, 60, 70), 90, 3),
        expw_line("photo_000.jpg", 9, (10, 400, 480, 90), 90, 3),
    ]
    dataset = read("expw", expw(tmp_path, lines))
    seen = inspect(dataset, quiet=True)
    line = len(lines) - 1
    assert [str(n) for n in seen.notes if "shar" not in str(n)] == [
        f"label/label.lst, line {line}: the box (-5, -20, 60, 70) leaves the picture, which is 300 x 100; "
        "the part inside is used"
    ]
    assert [str(p) for p in seen.problems] == [
        f"label/label.lst, line {line + 1}: the box (400, 10, 480, 90) lies outside the picture, which is 300 x 100"
    ]
    by_id = {s.id: s for s in dataset.samples}
    assert load_gray(by_id["photo_000.jpg#8"]).shape == (70, 60)
    with pytest.raises(ImageError, match=r"photo_000\.jpg: the box \(400, 10, 480, 90\) lies outside"):
        load_gray(by_id["photo_000.jpg#9"])


def test_what_is_not_expw(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"is not ExpW: expected label/label\.lst"):
        read("expw", tmp_path)
    expw(tmp_path, plain_expw_lines(3), pictures=False)
    with pytest.raises(DatasetError, match="image/origin is missing or empty"):
        read("expw", tmp_path)


def test_same_box_order_mistake_cannot_pass(tmp_path: Path) -> None:
    """A photo is wide: read as left, top, right, bottom the box of the third face would leave it."""
    dataset = read("expw", expw(tmp_path, plain_expw_lines(12)))
    assert all(load_gray(s).shape == (80, 80) for s in dataset.samples)
    assert np.ptp([s.box[0] for s in dataset.samples if s.box is not None]) == 200
