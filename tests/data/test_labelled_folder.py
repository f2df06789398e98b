from __future__ import annotations

from pathlib import Path

import pytest

from builders.data import drawn_face, write_lines, write_picture, zipped
from mien.data import load_gray, read
from mien.data.folder import emotion_of
from mien.errors import DatasetError, UsageError
from mien.types import EMOTIONS, Emotion


def folders(root: Path, names: dict[str, int], above: str = "") -> Path:
    number = 0
    for name, n in names.items():
        for i in range(n):
            write_picture(root / above / name / f"{i:03d}.png", drawn_face(number, 40))
            number += 1
    return root


def test_a_folder_an_emotion(tmp_path: Path) -> None:
    dataset = read("mine", folders(tmp_path, {"happiness": 20, "Sad": 10, "angry": 10}))
    assert dataset.name == "mine"
    assert dataset.samples[0].dataset == "mine"
    counts = dataset.counts()
    assert counts.loc["test", ["happiness", "sadness", "anger"]].tolist() == [4, 2, 2]
    assert counts.loc["validation", ["happiness", "sadness", "anger"]].tolist() == [2, 1, 1]
    assert counts["total"].sum() == 40
    assert dataset.comparison() is None
    assert load_gray(dataset.samples[0]).shape == (40, 40)
    again = read("mine", tmp_path, layout="folder")
    assert [(s.id, s.split) for s in again.samples] == [(s.id, s.split) for s in dataset.samples]


def test_given_splits_are_kept(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        folders(tmp_path, {"happy": 10, "fear": 10}, above=part)
    counts = read("mine", tmp_path).counts()["total"]
    assert counts.to_dict() == {"train": 20, "validation": 20, "test": 20}
    without = tmp_path / "without"
    for part in ("train", "test"):
        folders(without, {"happy": 10, "fear": 10}, above=part)
    assert read("mine", without).counts()["total"].to_dict() == {"train": 18, "validation": 2, "test": 20}


def test_zip(tmp_path: Path) -> None:
    root = folders(tmp_path / "a", {"happiness": 5, "neutral": 5})
    dataset = read("mine", zipped(root, tmp_path / "a.zip", "any/"))
    assert len(dataset.samples) == 10
    assert load_gray(dataset.samples[-1]).shape == (40, 40)


def test_folders_that_name_no_emotion(tmp_path: Path) -> None:
    folders(tmp_path, {"happiness": 5, "bored": 3})
    dataset = read("mine", tmp_path)
    assert [str(p) for p in dataset.problems] == [
        f"bored: 3 pictures in a folder that names no emotion (known: {', '.join(e.value for e in EMOTIONS)})"
    ]
    with pytest.raises(DatasetError, match="is not a folder-an-emotion data set"):
        read("mine", folders(tmp_path / "b", {"one": 2}) / "one")
    folders(tmp_path / "mixed", {"happiness": 2}, above="train")
    folders(tmp_path / "mixed", {"sadness": 2})
    with pytest.raises(DatasetError, match="some pictures lie below train, validation or test and some do not"):
        read("mine", tmp_path / "mixed")


def test_csv(tmp_path: Path) -> None:
    for i in range(6):
        write_picture(tmp_path / "p" / f"{i}.png", drawn_face(i, 60))
    lines = ["image,emotion,split,id,x0,y0,x1,y1"]
    lines += [
        f"p/{i}.png,{'happy' if i % 2 else 'fear'},{'test' if i > 3 else 'train'},face{i},5,10,45,60" for i in range(5)
    ]
    lines += ["p/5.png,anger,valid,face5,,,,"]
    write_lines(tmp_path / "labels.csv", lines, "\r\n")
    for root in (tmp_path, tmp_path / "labels.csv"):
        dataset = read("mine", root)
        assert not dataset.problems
        assert [(s.id, s.split) for s in dataset.samples] == [
            ("face0", "train"), ("face1", "train"), ("face2", "train"), ("face3", "train"), ("face4", "test"),
            ("face5", "validation"),
        ]  # fmt: skip
        assert load_gray(dataset.samples[0]).shape == (50, 40)
        assert load_gray(dataset.samples[5]).shape == (60, 60)
    (tmp_path / "labels.csv").rename(tmp_path / "other.csv")
    assert len(read("mine", tmp_path / "other.csv").samples) == 6


def test_csv_groups_stay_on_one_side(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", drawn_face(0))
    lines = ["image,emotion,id,group"] + [
        f"a.png,{'happy' if i % 2 else 'fear'},{i},person{i // 5}" for i in range(100)
    ]
    write_lines(tmp_path / "labels.csv", lines)
    sides: dict[int, set[str]] = {}
    for sample in read("mine", tmp_path).samples:
        sides.setdefault(int(sample.id) // 5, set()).add(sample.split)
    assert all(len(found) == 1 for found in sides.values())
    assert {"train", "validation", "test"} == {next(iter(found)) for found in sides.values()}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a.png,bored,train,,,,", "labels.csv, line 3: unknown emotion 'bored'"),
        ("a.png,fear,holdout,,,,", "labels.csv, line 3: split is train, validation or test, got 'holdout'"),
        ("a.png,fear,train,1,2,x,4", "labels.csv, line 3: x0, y0, x1, y1 are numbers, got 1,2,x,4"),
        ("a.png,fear,train,9,2,3,4", "labels.csv, line 3: the box 9,2,3,4 is empty"),
        ("a.png,fear", "labels.csv, line 3: expected 7 cells, got 2"),
        ("gone.png,fear,train,,,,", "labels.csv, line 3: the picture gone.png is missing"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, row: str, words: str) -> None:
    write_picture(tmp_path / "a.png", drawn_face(0))
    write_lines(tmp_path / "labels.csv", ["image,emotion,split,x0,y0,x1,y1", "a.png,happy,train,,,,", row])
    dataset = read("mine", tmp_path)
    assert words in str(dataset.problems[0])
    assert len(dataset.samples) == 1


@pytest.mark.parametrize("head", ["picture,emotion", "image,emotion,x0,y0"])
def test_a_csv_without_its_columns(tmp_path: Path, head: str) -> None:
    write_lines(tmp_path / "labels.csv", [head, "a,b,c,d"])
    with pytest.raises(
        DatasetError, match=r"labels\.csv, line 1: (expected the columns image and emotion|a box needs)"
    ):
        read("mine", tmp_path)


def test_words_for_emotions() -> None:
    assert emotion_of(" Happy ") is Emotion.HAPPINESS
    assert emotion_of("CONTEMPT") is Emotion.CONTEMPT
    assert emotion_of("bored") is None


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"goes with FER\+ only"):
        read("mine", tmp_path, votes="label")
    with pytest.raises(UsageError, match="layout is one of"):
        read("mine", tmp_path, layout="csv")  # type: ignore[arg-type]
