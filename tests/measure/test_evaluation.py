"""``mien evaluate``: what anyone can check of the shipped models, the fused answers included."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from builders.faces import make_cache
from builders.trust import prediction_table
from mien.cli import main
from mien.measure.predictions import by_area, fused_table, logits_of
from mien.trust.fusion import Fusion, FusionRule
from mien.types import AREAS, Area


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_cache(tmp_path_factory.mktemp("cache"), 60)


def measured(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert main(["evaluate", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_area_and_every_fused_answer_is_measured(cache, tiny_models, capsys) -> None:
    found = measured(capsys, "--cache", cache, "--models", tiny_models, "--network", "vgg")
    assert set(found["areas"]) == {a.value for a in AREAS}
    assert set(found["fused"]) == {a.value for a in AREAS if len(a.parts) > 1}
    for row in (*found["areas"].values(), *found["fused"].values()):
        matrix = np.array(row["published"]["confusion_matrix"])
        assert row["published"]["n"] == matrix.sum()
        assert row["published"]["accuracy"]["value"] == pytest.approx(np.trace(matrix) / matrix.sum())


def test_models_without_calibration_are_measured_as_they_are(cache, untrusted_models, capsys) -> None:
    found = measured(capsys, "--cache", cache, "--models", untrusted_models)
    assert "fused" not in found
    assert found["network"] == "anyarea"


def test_the_table_names_areas_and_fused_answers(cache, tiny_models, capsys) -> None:
    assert main(["evaluate", "--cache", str(cache), "--models", str(tiny_models)]) == 0
    out = capsys.readouterr().out
    assert out.index("mouth") < out.index("answers fused from all areas within:") < out.rindex("whole face")


def test_fused_rows_are_those_of_the_rule() -> None:
    table = prediction_table(30, "test")
    rule = FusionRule("weighted", {"mouth": 2 * np.eye(8), "nose": np.eye(8)}, np.zeros(8))
    fused, sources = fused_table(table, Fusion({Area.NOSE_MOUTH: rule}))
    logits, _ = by_area(table)
    rows = fused[fused["area"] == "nose_mouth"]
    np.testing.assert_allclose(logits_of(rows), 2 * logits[Area.MOUTH] + logits[Area.NOSE], rtol=1e-5)
    assert rows["sample_id"].tolist() == sorted(set(table["sample_id"]))
    assert sources[Area.NOSE_MOUTH] == "fused_nose_mouth"
    assert sources[Area.WHOLE_FACE] == "whole_face", "without a rule it is the area's own answer"
