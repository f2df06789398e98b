"""mien trust check and mien trust --prior, mien calibrate --unlabelled: on tiny networks and drawn faces."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mien.assets import SAMPLE
from mien.cli import main
from mien.errors import TableError, UsageError
from mien.measure.check import check_answers, held, samples_to_check
from mien.measure.collection import FaceAnswer
from mien.measure.mixed import trust_under
from mien.trust.authenticity import Calibration
from mien.trust.prior import Prior
from mien.trust.reference import read_reference
from mien.types import EMOTIONS, Emotion


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    for emotion in ("happiness", "anger"):
        (tmp_path / "photos" / emotion).mkdir(parents=True)
        shutil.copy(SAMPLE, tmp_path / "photos" / emotion / f"{emotion}.jpg")
    return tmp_path / "photos"


def test_held_counts() -> None:
    found = held("x", np.array([0.95, 0.95, 0.5, 0.6]), np.array([True, False, False, True]))
    assert found.said == pytest.approx(0.75)
    assert found.true.value == 0.5
    assert found.difference == pytest.approx(0.25)
    assert found.kept == 0.5
    assert found.right_of_kept.value == 0.5
    with pytest.raises(ValueError, match="no answer"):
        held("x", np.zeros(0), np.zeros(0, bool))


def faces(shares: np.ndarray, n: int, apart: float) -> tuple[list[FaceAnswer], dict[str, Emotion]]:
    generator = np.random.default_rng(0)
    labels = generator.choice(8, n, p=shares)
    logits = apart**2 * np.eye(8)[labels] + apart * generator.standard_normal((n, 8)) + np.log(OLD)
    rows = [FaceAnswer(str(i), 0, "whole_face", tuple(z), 100.0) for i, z in enumerate(logits)]
    return rows, {str(i): EMOTIONS[k] for i, k in enumerate(labels)}


OLD = np.array([0.5, 0.3, 0.08, 0.04, 0.03, 0.02, 0.02, 0.01])


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    from mien.measure.fit.trust import fit_sources

    rows, labels = faces(OLD, 8_000, 2.0)
    z, y = np.array([r.logits for r in rows], np.float32), np.array([labels[r.photo].position for r in rows])
    fitted = fit_sources({"whole_face": z}, y, {"whole_face": "temperature"})
    return Calibration("drawn", 8_000, OLD.astype(np.float32), fitted, {})


def test_says_that_trust_holds(calibration: Calibration) -> None:
    found = check_answers(*faces(OLD, 1_500, 2.0), calibration)
    assert abs(found.rows[0].difference) < 0.03
    assert found.advice.startswith("Trust holds")
    assert found.rows[0].true.n == 1_500
    assert "all" in str(found)


def test_says_that_the_mix_is_why(calibration: Calibration) -> None:
    found = check_answers(*faces(np.full(8, 0.125), 1_500, 2.0), calibration)
    assert found.rows[0].difference > 0.05
    assert abs(found.under_mix.difference) < 0.03
    assert "--prior neutral=" in found.advice


def test_says_that_faces_differ(calibration: Calibration) -> None:
    found = check_answers(*faces(OLD, 1_500, 0.9), calibration)
    rows, labels = faces(OLD, 1_500, 2.0)
    wrong = dict(zip(labels, np.random.default_rng(0).permutation(list(labels.values())), strict=True))
    found = check_answers(rows, {k: Emotion(v) for k, v in wrong.items()}, calibration)
    assert found.advice.startswith("These faces differ")


def test_few_faces_say_nothing(calibration: Calibration) -> None:
    assert "too few" in check_answers(*faces(OLD, 40, 2.0), calibration).advice
    with pytest.raises(TableError):
        check_answers([], {}, calibration)


def test_command_checks_a_folder_and_goes_on(
    photos: Path, tiny_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["trust", "check", "--data", str(photos), "--models", str(tiny_models), "--json"]
    assert main(call) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["all"]["n"] == 2
    assert first["without_answer"] == 0
    (kept,) = (photos.parent / "cache" / "predictions").glob("collection-*.jsonl")
    lines = kept.read_text().splitlines()
    assert len(lines) == 2
    assert main(call) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert kept.read_text().splitlines() == lines


def test_command_says_what_is_missing(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", "check"]) == UsageError.exit_code
    assert main(["trust", "check", "--data", "nowhere"]) == UsageError.exit_code
    assert "neither NAME:ROOT" in capsys.readouterr().err
    assert len(samples_to_check(str(photos))) == 2


def test_table_under_a_mix(tiny_models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", "--models", str(tiny_models), "--prior", "balanced", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 7 * 8
    assert all(0 <= r["low"] <= r["p"] <= r["high"] <= 1 for r in rows)
    network = "anyarea"
    table = trust_under(
        Prior.parse("happiness=1,anger=1"), Calibration.load(tiny_models, network), read_reference(tiny_models, network)
    )
    assert set(table.loc[table["n"] > 0, "emotion"]) <= {"happiness", "anger"}


def test_the_mix_of_a_folder(photos: Path, tiny_models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = photos.parent / "mix.json"
    call = ["calibrate", "--unlabelled", str(photos), "--models", str(tiny_models), "--draws", "5"]
    assert main([*call, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "too few" in said
    assert "--prior" in said
    assert abs(sum(Prior.parse(str(out)).shares) - 1) < 1e-9
    labels = photos.parent / "labels.csv"
    labels.write_text("image,label\nhappiness.jpg,happiness\nanger.jpg,anger\n")
    assert main([*call, "--labelled", str(labels), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labelled"] == 2
    labels.write_text("image,label\nnobody.jpg,happiness\n")
    assert main([*call, "--labelled", str(labels)]) == TableError.exit_code
    assert main(["calibrate", "--unlabelled", str(photos / "none"), "--models", str(tiny_models)]) == 3
    assert main(["calibrate", "--cache", "x", "--labelled", str(labels)]) == UsageError.exit_code
