"""What mien writes: docs/output.md against the writers; words; provenance; the tidy table."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mien import Analyzer
from mien.analyze.answers import Answers
from mien.analyze.table import COLUMNS, LONG_COLUMNS, long_table
from mien.analyze.words import face_html, face_text, said_of, title_of
from mien.assets import SAMPLE
from mien.cli import main
from mien.types import AREAS, EMOTIONS, Area, Emotion, Interval, Part, Prediction

DOC = (Path(__file__).parents[2] / "docs" / "output.md").read_text()


@pytest.fixture(scope="module")
def answers(tiny_models: Path) -> Answers:
    return Analyzer(tiny_models, coverage=0.9, prior="ferplus").analyze(SAMPLE)


def documented(section: str) -> list[str]:
    """Columns of a table of docs/output.md, with AREA and x_0 .. x_67 written out."""
    cells = re.findall(r"^\| (`[^|]*) \|", section, re.M)
    found: list[str] = []
    for cell in cells:
        names = re.findall(r"`([^`]+)`", cell)
        for place, name in enumerate(names):
            if ".." in cell and place % 2:
                continue
            if name.startswith("AREA_") and ".." in cell:
                found += [f"{a.value}_{e.value}" for a in AREAS for e in EMOTIONS]
            elif name.startswith("AREA_"):
                found += [name.replace("AREA", a.value) for a in AREAS]
            elif name in ("x_0", "y_0"):
                found += [f"{name[0]}_{i}" for i in range(68)]
            else:
                found.append(name)
    return found


def test_the_page_names_exactly_the_columns_written() -> None:
    wide, rest = DOC.split("## JSON", 1)
    long, meta = rest.split("## Tidy table", 1)[1].split("## What made a result", 1)
    assert set(documented(wide)) == set(COLUMNS)
    assert set(documented(long)) == set(LONG_COLUMNS)
    assert {"mien", "network", "fingerprint", "prior", "date"} <= set(documented(meta.split("## ", 1)[0]))


def test_types_are_nullable(answers: Answers) -> None:
    table = answers.to_frame()
    assert str(table["frame"].dtype) == "Int64"
    assert str(table["face_id"].dtype) == "Int64"
    assert str(table["abstained"].dtype) == "boolean"
    assert str(table["visible_eyes"].dtype) == "boolean"
    empty = Answers((), np.zeros((4, 4, 3), np.uint8)).to_frame()
    assert empty["face_id"].isna().all()
    assert empty["abstained"].isna().all()


def test_sets_abstention_and_best_emotion(tiny_models: Path) -> None:
    (answer,) = Analyzer(tiny_models, coverage=0.9, min_p_correct=0.9999).analyze(SAMPLE)
    row = answer.to_row()
    assert row["abstained"] is True
    assert row["emotion"] is None
    assert row["best_emotion"] == answer.fused.emotion.value == answer.to_dict()["best_emotion"]
    assert row["prediction_set"].split()[0] == row["best_emotion"]
    (plain,) = Analyzer(tiny_models).analyze(SAMPLE)
    assert "prediction_set" not in plain.to_row() or plain.to_row()["prediction_set"] is None


def with_p(answer, value: float):
    right = Interval(value, max(0.0, value - 0.1), min(1.0, value + 0.05), 50)
    return replace(answer, fused=replace(answer.fused, authenticity=right))


def test_low_trust_reads_otherwise(answers: Answers) -> None:
    low, high = with_p(answers[0], 0.5), with_p(answers[0], 0.95)
    assert title_of(low).startswith("perhaps ")
    assert ", or " in title_of(low)
    assert title_of(high).startswith(f"{high.fused.emotion.value}: right 95 times in 100")
    assert "50? (" in face_text(low)
    assert "95 (" in face_text(high)
    assert "font-style:italic" in face_html(low)
    p = Prediction(Area.MOUTH, np.zeros(8, np.float32), np.array([0, 0.5, 0, 0, 0.4, 0.1, 0, 0], np.float32),
                   Emotion.HAPPINESS, Interval(0.5, 0.4, 0.6, 9))  # fmt: skip
    assert said_of(p) == "perhaps happiness, or anger"


def test_the_answers_row_carries_the_answers_number(answers: Answers) -> None:
    answer = with_p(answers[0], 0.777)
    (marked,) = [line for line in face_text(answer, 120).splitlines() if "* " in line and line[:1] != "*"]
    assert "78 (" in marked


def test_no_trust_of_an_area_that_shows_a_cover(answers: Answers) -> None:
    seen = replace(answers[0].visibility, visible=frozenset({Part.EYES, Part.NOSE}))
    covered = replace(answers[0], visibility=seen)
    row, values = covered.to_row(), covered.to_dict()
    for area in AREAS:
        hidden = Part.MOUTH in area.parts
        assert np.isnan(row[f"{area.value}_p_correct"]) == hidden
        assert (values["areas"][area.value]["p_correct"] is None) == hidden
    (mouth,) = [line for line in face_text(covered, 120).splitlines() if line.startswith("mouth  ")]
    assert "(" not in mouth


def test_provenance_in_every_form(tiny_models: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    call = ["analyze", str(SAMPLE), "--models", str(tiny_models), "--prior", "balanced", "--quiet"]
    for name in ("a.json", "b.csv", "c.parquet"):
        assert main([*call, "--out", str(tmp_path / name)]) == 0
    found = [
        json.loads((tmp_path / "a.json").read_text())[0]["provenance"],
        json.loads((tmp_path / "b.meta.json").read_text()),
        json.loads(pq.read_schema(tmp_path / "c.parquet").metadata[b"mien"]),
    ]
    for values in found:
        assert values["prior"]["name"] == "balanced"
        assert values["network"]
        assert values["date"].endswith("+00:00")
        assert len(values["fingerprint"]) == 16
        assert values["detector"] == "mesh"
        assert {k: v for k, v in values.items() if k != "date"} == {k: v for k, v in found[0].items() if k != "date"}
    assert "p_correct" in pd.read_parquet(tmp_path / "c.parquet")


def test_provenance_of_a_folder(tiny_models: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(SAMPLE.read_bytes())
    for name in ("b.csv", "c.parquet"):
        call = ["analyze", str(tmp_path / "in"), "--models", str(tiny_models), "--quiet", "--workers", "1"]
        assert main([*call, "--out", str(tmp_path / name)]) == 0
    assert json.loads((tmp_path / "b.meta.json").read_text())["prior"] is None
    assert json.loads(pq.read_schema(tmp_path / "c.parquet").metadata[b"mien"])["mien"]


def test_tidy_table(tiny_models: Path, tmp_path: Path, answers: Answers) -> None:
    long = answers.to_frame(long=True)
    assert list(long.columns) == list(LONG_COLUMNS)
    assert len(long) == 8 * (1 + len(AREAS))
    said = long[long["said"]]
    assert said["p_correct"].notna().all()
    assert len(said) == 1 + len(AREAS)
    assert long.groupby("of")["probability"].sum().to_numpy() == pytest.approx(1, abs=1e-4)
    out = tmp_path / "long.csv"
    assert main(["analyze", str(SAMPLE), "--models", str(tiny_models), "--long", "--out", str(out), "--quiet"]) == 0
    with out.open() as file:
        assert len(list(csv.DictReader(file))) == len(long)
    call = ["analyze", str(tmp_path), "--models", str(tiny_models), "--long", "--out", str(tmp_path / "x.csv")]
    assert main(call) == 2
    nobody = long_table(Answers((), np.zeros((4, 4, 3), np.uint8), "empty.jpg").to_frame())
    assert len(nobody) == 1
    assert nobody["status"].iloc[0] == "no face"
