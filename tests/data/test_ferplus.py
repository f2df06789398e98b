from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from builders.data import (
    FerRow,
    drawn_face,
    ferplus_folders,
    ferplus_kaggle,
    plain_ferplus_rows,
    votes,
    write_fer2013new,
    zipped,  # fmt: skip
)
from mien.data import Dataset, inspect, load_gray, read
from mien.errors import DatasetError, UsageError
from mien.types import Emotion


def ids(dataset: Dataset) -> dict[str, str]:
    return {s.id: s.split for s in dataset.samples}


def test_folders(tmp_path: Path) -> None:
    dataset = read("ferplus", ferplus_folders(tmp_path, plain_ferplus_rows(40)))
    assert dataset.layout == "Microsoft's folders"
    assert len(dataset.samples) == 40
    assert not dataset.problems
    assert not dataset.notes
    counts = dataset.counts()
    assert counts.loc["test", "total"] == 8
    assert counts.loc["train", "total"] + counts.loc["validation", "total"] == 32
    first = dataset.samples[0]
    assert (first.id, first.label, first.majority, first.published) == ("fer0000000", Emotion.NEUTRAL, True, True)
    assert np.allclose(first.votes, np.eye(8)[0])  # the single "unknown" vote counts for nothing
    assert (load_gray(first) == drawn_face(0)).all()


def test_all_layouts_are_the_same_faces(tmp_path: Path) -> None:
    rows = plain_ferplus_rows(30)
    folders = ferplus_folders(tmp_path / "folders", rows)
    older, newer = ferplus_kaggle(tmp_path / "a", rows), ferplus_kaggle(tmp_path / "b", rows, "icml_face_data.csv")
    roots = [
        folders, older, newer,
        zipped(folders, tmp_path / "f.zip"), zipped(folders, tmp_path / "g.zip", "data/FERPlus/"),
        zipped(older, tmp_path / "a.zip"), zipped(newer, tmp_path / "b.zip", "archive/"),
    ]  # fmt: skip
    expected = read("ferplus", folders, votes="fer2013new")
    for root in roots:
        dataset = read("ferplus", root, votes="fer2013new")
        assert ids(dataset) == ids(expected)
        assert not dataset.problems
        assert [s.label for s in dataset.samples] == [s.label for s in expected.samples]
        for a, b in zip(dataset.samples, expected.samples, strict=True):
            assert (load_gray(a) == load_gray(b)).all()
        assert not inspect(dataset, quiet=True).problems


def test_a_folder_with_nothing_but_a_zip_stands_for_the_zip(tmp_path: Path) -> None:
    (tmp_path / "lone").mkdir()
    zipped(ferplus_folders(tmp_path / "f", plain_ferplus_rows(10)), tmp_path / "lone" / "ferplus.zip")
    assert len(read("ferplus", tmp_path / "lone").samples) == 10


def test_crlf_and_byte_order_mark(tmp_path: Path) -> None:
    rows = plain_ferplus_rows(20)
    expected = ids(read("ferplus", ferplus_folders(tmp_path / "lf", rows)))
    crlf = ferplus_folders(tmp_path / "crlf", rows, newline="\r\n")
    table = crlf / "fer2013new.csv"
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes())
    assert ids(read("ferplus", crlf)) == expected
    assert ids(read("ferplus", ferplus_kaggle(tmp_path / "kaggle", rows, newline="\r\n"))) == expected


def test_dropped_names_and_weak_votes_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = plain_ferplus_rows(10)
    rows += [("Training", "", votes(NF=10)), ("Training", "fer0000010.png", votes(neutral=4, sadness=3, anger=3))]
    for root in (ferplus_folders(tmp_path / "a", rows), ferplus_kaggle(tmp_path / "b", rows)):
        dataset = read("ferplus", root, votes="fer2013new")
        assert len(dataset.samples) == 10
        assert sorted(dataset.left_out.values()) == [1, 1]
        assert not dataset.problems


def test_faces_of_the_majority_rule_only_are_marked(tmp_path: Path) -> None:
    """60% say neutral, and two others tie: the published rule would need three emotions."""
    rows = [*plain_ferplus_rows(20), ("Training", "fer0000020.png", votes(neutral=6, sadness=2, anger=2))]
    sample = read("ferplus", ferplus_folders(tmp_path, rows), votes="fer2013new").samples[-1]
    assert (sample.id, sample.majority, sample.published) == ("fer0000020", True, False)
    assert sample.label is Emotion.NEUTRAL


def test_missing_picture_is_named_and_validation_stays(tmp_path: Path) -> None:
    root = ferplus_folders(tmp_path, plain_ferplus_rows(40))
    before = ids(read("ferplus", root, votes="fer2013new"))
    (root / "FER2013Train" / "fer0000003.png").unlink()
    dataset = read("ferplus", root, votes="fer2013new")
    assert [str(p) for p in dataset.problems] == [
        "fer2013new.csv, line 5: the picture FER2013Train/fer0000003.png is missing"
    ]
    assert ids(dataset) == {k: v for k, v in before.items() if k != "fer0000003"}


def test_a_face_named_twice_is_taken_once_and_validation_wins(tmp_path: Path) -> None:
    rows: list[FerRow] = [("Training", f"fer{i:07d}.png", votes(happiness=10)) for i in range(30)]
    single = read("ferplus", ferplus_folders(tmp_path / "single", rows), votes="fer2013new")
    held = next(s.id for s in single.samples if s.split == "validation")
    rows.append(("Training", f"{held}.png", votes(happiness=10)))
    dataset = read("ferplus", ferplus_folders(tmp_path / "double", rows), votes="fer2013new")
    assert len(dataset.samples) == 30
    assert len(ids(dataset)) == 30
    line = int(held[3:]) + 2
    where = f"fer2013new.csv, line {line} and fer2013new.csv, line 32"
    assert [str(n) for n in dataset.notes] == [f"{where}: {held} is named 2 times; it is taken once"]


def test_a_face_named_twice_with_two_labels_is_a_problem(tmp_path: Path) -> None:
    rows = plain_ferplus_rows(10)
    rows.append(("Training", "fer0000000.png", votes(anger=10)))
    dataset = read("ferplus", ferplus_folders(tmp_path, rows), votes="fer2013new")
    assert "fer0000000" not in ids(dataset)
    assert len(dataset.problems) == 2
    assert "line 2 and fer2013new.csv, line 12" in str(dataset.problems[0])


def test_votes_of_label_csv_are_the_default(tmp_path: Path) -> None:
    rows = plain_ferplus_rows(12)
    root = ferplus_folders(tmp_path, rows)
    write_fer2013new(root, [("Training", "fer0000000.png", votes(fear=10)), *rows[1:]])
    own = read("ferplus", root)
    assert own.samples[0].label is Emotion.NEUTRAL
    assert own.rule["votes"] == "label"
    assert ids(own) == ids(read("ferplus", root, votes="label"))
    assert "1 faces whose votes in label.csv differ from fer2013new.csv; label.csv is used" in str(own.notes[0])
    other = read("ferplus", root, votes="fer2013new")
    assert other.samples[0].label is Emotion.FEAR
    assert "fer2013new.csv is used (--votes label uses label.csv)" in str(other.notes[0])
    (root / "fer2013new.csv").write_text("anything")
    assert ids(read("ferplus", root)) == ids(own)
    (root / "fer2013new.csv").unlink()
    assert ids(read("ferplus", root)) == ids(own)
    with pytest.raises(DatasetError, match=r"fer2013new\.csv is missing .* --votes label"):
        read("ferplus", root, votes="fer2013new")


def test_votes_where_label_csv_is_not_complete(tmp_path: Path) -> None:
    root = ferplus_folders(tmp_path, plain_ferplus_rows(12))
    (root / "FER2013Valid" / "label.csv").unlink()
    dataset = read("ferplus", root)
    assert dataset.rule["votes"] == "fer2013new"
    assert str(dataset.notes[0]).startswith(
        "FER2013Valid/label.csv: it is missing, so the votes are those of fer2013new"
    )
    with pytest.raises(DatasetError, match=r"FER2013Valid/label\.csv is missing"):
        read("ferplus", root, votes="label")
    (root / "fer2013new.csv").unlink()
    with pytest.raises(DatasetError, match=r"fer2013new\.csv is missing"):
        read("ferplus", root)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("Training,fer0000000.png,1,2,3", "line 2: expected 10 whole vote counts"),
        ("Training,fer0000000.png,x,0,0,0,0,0,0,0,0,0", "line 2: expected 10 whole vote counts"),
        ("Training,fer0000000.png,²,0,0,0,0,0,0,0,0,0", "line 2: expected 10 whole vote counts"),
        ("Training,fer0000000.png,٣,0,0,0,0,0,0,0,0,0", "line 2: expected 10 whole vote counts"),
        (f"Training,fer0000000.png,{'9' * 5000},0,0,0,0,0,0,0,0,0", "line 2: expected 10 whole vote counts"),
        (f"Training,fer0000000.png,{2**40},0,0,0,0,0,0,0,0,0", "line 2: expected 10 whole vote counts"),
        ("Trainig,fer0000000.png,9,0,0,0,0,0,0,0,0,0", "line 2: Usage is Training, PublicTest or PrivateTest, got"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, row: str, words: str) -> None:
    root = ferplus_folders(tmp_path, plain_ferplus_rows(10))
    table = root / "fer2013new.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], row, *lines[2:]]))
    dataset = read("ferplus", root, votes="fer2013new")
    assert len(dataset.samples) == 9
    assert words in str(dataset.problems[0])


def test_kaggle_rows_that_do_not_belong_together(tmp_path: Path) -> None:
    rows = plain_ferplus_rows(10)
    root = ferplus_kaggle(tmp_path, rows)
    write_fer2013new(root, [rows[4], *rows[1:]])
    with pytest.raises(
        DatasetError, match=r"fer2013\.csv, line 2 says Training where fer2013new\.csv, line 2 says Priv"
    ):
        read("ferplus", root)
    write_fer2013new(root, [*rows, rows[0]])
    with pytest.raises(DatasetError, match=r"has a row 11, but fer2013\.csv only 10 rows"):
        read("ferplus", root)
    (root / "fer2013new.csv").unlink()
    with pytest.raises(DatasetError, match=r"fer2013new\.csv is missing"):
        read("ferplus", root)


def test_kaggle_has_no_other_votes_and_says_so(tmp_path: Path) -> None:
    dataset = read("ferplus", ferplus_kaggle(tmp_path, plain_ferplus_rows(10)))
    assert len(dataset.notes) == 1
    assert str(dataset.notes[0]).startswith(
        "fer2013new.csv: the votes, since this layout has no label.csv; about 1,600"
    )


@pytest.mark.parametrize(
    ("pixels", "words"),
    [("1 2 3", "expected 2304 pixels, got 3"), ("1 x", "not whole numbers"), ("300 " * 2304, "0..255, got 300")],
)
def test_kaggle_pixels_that_are_broken(tmp_path: Path, pixels: str, words: str) -> None:
    root = ferplus_kaggle(tmp_path, plain_ferplus_rows(10))
    table = root / "fer2013.csv"
    lines = table.read_text().splitlines()
    lines[3] = f"0,{pixels},Training"
    table.write_text("\n".join(lines))
    dataset = read("ferplus", root)
    assert "fer0000002" not in ids(dataset)
    assert str(dataset.problems[0]).startswith("fer2013.csv, line 4: fer0000002: ")
    assert words in str(dataset.problems[0])


def test_what_is_not_ferplus(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not FER"):
        read("ferplus", tmp_path)
    with pytest.raises(DatasetError, match="no such folder or zip"):
        read("ferplus", tmp_path / "nowhere")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(DatasetError, match="neither a folder nor a zip"):
        read("ferplus", tmp_path / "text.zip")
    root = ferplus_kaggle(tmp_path / "k", plain_ferplus_rows(5))
    with pytest.raises(UsageError, match=r"no label\.csv"):
        read("ferplus", root, votes="label")
    (root / "fer2013new.csv").write_text("Usage,Image,neutral\n")
    with pytest.raises(DatasetError, match=r"fer2013new\.csv, line 1: expected the columns|is empty"):
        read("ferplus", root)


def test_pictures_named_in_two_splits_are_told(tmp_path: Path) -> None:
    rows = plain_ferplus_rows(20)
    root = ferplus_folders(tmp_path, rows)
    (root / "FER2013Test" / "fer0000004.png").write_bytes((root / "FER2013Train" / "fer0000000.png").read_bytes())
    notes = [str(n) for n in inspect(read("ferplus", root), quiet=True).notes]
    assert notes == [
        "ferplus: 2 faces share 1 pictures, byte for byte; 1 faces of the test split also occur in train or validation"
    ]
