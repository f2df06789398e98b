from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from builders.data import RAFDB_LINES, drawn_face, rafdb_official, rafdb_repack, write_lines, write_picture, zipped
from mien.data import Dataset, inspect, load_gray, read
from mien.errors import DatasetError
from mien.types import Emotion

OFFICIAL_LABELS = {
    "1": Emotion.SURPRISE, "2": Emotion.FEAR, "3": Emotion.DISGUST, "4": Emotion.HAPPINESS,
    "5": Emotion.SADNESS, "6": Emotion.ANGER, "7": Emotion.NEUTRAL,
}  # fmt: skip


def told(dataset: Dataset) -> dict[str, tuple[str, Emotion]]:
    return {s.id: (s.split, s.label) for s in dataset.samples}


def test_official_labels_names_and_splits(tmp_path: Path) -> None:
    dataset = read("rafdb", rafdb_official(tmp_path))
    assert not dataset.problems
    assert len(dataset.samples) == 91
    for line, sample in zip(RAFDB_LINES, dataset.samples, strict=True):
        name, label = line.split(" ")
        assert sample.id == name.removesuffix(".jpg")
        assert sample.label is OFFICIAL_LABELS[label]
        assert (sample.split == "test") == name.startswith("test")
        assert sample.votes.max() == 1
    assert dataset.counts().loc["validation", "total"] == 7  # a tenth of each class of ten
    assert load_gray(dataset.samples[0]).shape == (100, 100)


def test_crlf_and_zip_and_repack_are_the_same_faces(tmp_path: Path) -> None:
    official = rafdb_official(tmp_path / "a" / "basic")
    expected = told(read("rafdb", official))
    assert told(read("rafdb", tmp_path / "a")) == expected
    assert told(read("rafdb", rafdb_official(tmp_path / "b", newline="\r\n"))) == expected
    assert told(read("rafdb", zipped(official, tmp_path / "c.zip", "RAF-DB/basic/"))) == expected
    for tables in (True, False):
        repack = read("rafdb", rafdb_repack(tmp_path / f"d{tables}", tables=tables))
        assert repack.layout == "Kaggle's re-pack"
        assert not repack.problems
        assert {k: v[1] for k, v in told(repack).items()} == {k: v[1] for k, v in expected.items()}
        assert told(repack) == expected


COMPOUND = [f"train_{i:04d}.jpg {i % 11 + 1}" for i in range(1, 45)] + [
    f"test_{i:04d}.jpg {i % 11 + 1}" for i in range(45, 60)
]


def test_the_compound_subset_is_recognised(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"compound subset .* give the folder of the basic subset"):
        read("rafdb", rafdb_official(tmp_path / "compound", COMPOUND))
    few = [f"{i:05d}.jpg {i % 3 + 7}" for i in range(30)]
    with pytest.raises(DatasetError, match="compound subset"):
        read("rafdb", rafdb_official(tmp_path / "few", few))


def test_basic_beside_compound(tmp_path: Path) -> None:
    rafdb_official(tmp_path / "compound", COMPOUND)
    rafdb_official(tmp_path / "basic")
    dataset = read("rafdb", tmp_path)
    assert len(dataset.samples) == 91
    assert [str(n) for n in dataset.notes] == [
        "compound/EmoLabel/list_patition_label.txt: the compound subset; it is not read"
    ]
    rafdb_official(tmp_path / "again")
    with pytest.raises(DatasetError, match="more than one RAF-DB"):
        read("rafdb", tmp_path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train_00003.jpg 9", "line 3: train_00003 has the unknown label '9' (1 to 7 are known)"),
        ("train_00003.jpg 0", "line 3: train_00003 has the unknown label '0'"),
        ("train_00003.jpg", "line 3: expected a picture's name and a label, got 'train_00003.jpg'"),
        ("train_0003.jpg 4", "line 3: expected a name like train_00001.jpg or test_0001.jpg, got train_0003.jpg"),
        ("test_00003.jpg 4", "line 3: expected a name like train_00001.jpg or test_0001.jpg, got test_00003.jpg"),
        ("train_99999.jpg 4", "line 3: the picture Image/aligned/train_99999_aligned.jpg is missing"),
        ("train_00001.jpg 5", "train_00001 is named 2 times and differently"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    root = rafdb_official(tmp_path)
    write_lines(root / "EmoLabel" / "list_patition_label.txt", [*RAFDB_LINES[:2], line, *RAFDB_LINES[3:]])
    dataset = read("rafdb", root)
    assert any(words in str(p) for p in dataset.problems), dataset.problems
    assert "EmoLabel/list_patition_label.txt, line" in str(dataset.problems[0])
    assert "train_00003" not in told(dataset)


def test_a_line_twice_is_taken_once(tmp_path: Path) -> None:
    dataset = read("rafdb", rafdb_official(tmp_path, [*RAFDB_LINES, RAFDB_LINES[0]]))
    assert len(dataset.samples) == 91
    assert not dataset.problems
    assert "named 2 times; it is taken once" in str(dataset.notes[0])


def test_pictures_not_unpacked(tmp_path: Path) -> None:
    root = rafdb_official(tmp_path)
    shutil.rmtree(root / "Image" / "aligned")
    write_picture(root / "Image" / "original" / "train_00001.jpg", drawn_face(1, 100))
    with pytest.raises(DatasetError, match=r"Image/aligned is missing or empty \(unpack aligned\.zip there\)"):
        read("rafdb", root)


def test_repack_whose_tables_and_folders_disagree(tmp_path: Path) -> None:
    root = rafdb_repack(tmp_path)
    table = root / "train_labels.csv"
    text = table.read_text().replace("train_00001_aligned.jpg,2", "train_00001_aligned.jpg,3")
    text = text.replace("train_00002_aligned.jpg,3\n", "") + "train_00999_aligned.jpg,3\n"
    table.write_text(text)
    shutil.move(root / "DATASET/train/4/train_00003_aligned.jpg", root / "DATASET/test/4/train_00003_aligned.jpg")
    problems = "\n".join(str(p) for p in read("rafdb", root).problems)
    assert "train_00001 lies in the folder 2, but train_labels.csv, line 2 says 3" in problems
    assert "train_00002 is not in train_labels.csv" in problems
    assert "the picture of train_00999 is missing" in problems
    assert "a train picture in the folder test" in problems


def test_broken_pictures_are_named_when_looked_at(tmp_path: Path) -> None:
    root = rafdb_official(tmp_path)
    aligned = root / "Image" / "aligned"
    (aligned / "train_00002_aligned.jpg").write_bytes(b"")
    whole = (aligned / "train_00004_aligned.jpg").read_bytes()
    (aligned / "train_00004_aligned.jpg").write_bytes(whole[: len(whole) // 2])
    seen = inspect(read("rafdb", root), quiet=True)
    assert [p.where for p in seen.problems] == [
        "EmoLabel/list_patition_label.txt, line 2", "EmoLabel/list_patition_label.txt, line 4",
    ]  # fmt: skip
    assert "train_00002_aligned.jpg: the file is empty" in str(seen.problems[0])
    assert seen.digests[1] == "" != seen.digests[0]


def test_what_is_not_rafdb(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"is not RAF-DB basic: expected EmoLabel/list_patition_label\.txt"):
        read("rafdb", tmp_path)
