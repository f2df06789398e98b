"""The mix of emotions from end to end: Analyzer, command line, folders; probabilities and P(right) are one number."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from mien import Analyzer
from mien.assets import SAMPLE
from mien.cli import main
from mien.errors import ModelError, UsageError
from mien.trust.prior import Prior


def test_analyzer_takes_a_mix_for_all_and_for_one_picture(tiny_models: Path) -> None:
    plain, given = Analyzer(tiny_models), Analyzer(tiny_models, prior="fear=0.9,anger=0.1")
    (before,), (after,), (once,) = (
        plain.analyze(SAMPLE), given.analyze(SAMPLE), plain.analyze(SAMPLE, prior={"fear": 9, "anger": 1})
    )  # fmt: skip
    assert before.prior is None
    assert after.prior == given.options.mix
    assert {after.emotion.value, once.emotion.value} <= {"fear", "anger"}
    assert np.allclose(after.fused.probabilities, once.fused.probabilities)
    assert after.fused.probabilities.max() == pytest.approx(after.fused.authenticity.value, abs=1e-6)
    assert not np.allclose(before.fused.probabilities, after.fused.probabilities)


def test_reconsidering_keeps_the_mix(tiny_models: Path) -> None:
    analyzer = Analyzer(tiny_models)
    (answer,) = analyzer.analyze(SAMPLE, prior="fear=0.9,anger=0.1")
    assert analyzer.reconsider(answer, "mouth").emotion.value in {"fear", "anger"}


def test_an_analyzer_with_a_mix_travels(tiny_models: Path) -> None:
    analyzer = Analyzer(tiny_models, prior="balanced")
    assert pickle.loads(pickle.dumps(analyzer)).options.mix == Prior.parse("balanced")


def test_without_calibration_no_mix(untrusted_models: Path) -> None:
    with pytest.raises(ModelError, match="never calibrated"):
        Analyzer(untrusted_models, prior="balanced")


def test_command_line(tiny_models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "--sample", "--models", str(tiny_models), "--json", "--prior", "fear=1,anger=1"]) == 0
    (picture,) = json.loads(capsys.readouterr().out)
    assert picture["faces"][0]["emotion"] in {"fear", "anger"}
    assert main(["analyze", "--sample", "--models", str(tiny_models), "--prior", "joy=1"]) == UsageError.exit_code
    assert "no emotion is called 'joy'" in capsys.readouterr().err


def test_a_folder_takes_the_mix(tiny_models: Path, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out.csv"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(SAMPLE.read_bytes())
    call = ["analyze", str(photos), "--models", str(tiny_models), "--out", str(out), "--workers", "1", "--quiet"]
    assert main([*call, "--prior", "fear=1,anger=1"]) == 0
    with out.open() as file:
        assert {row["emotion"] for row in csv.DictReader(file)} <= {"fear", "anger"}
