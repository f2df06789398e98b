"""What is shipped fits together, and the recorded measures reach the bars that were set for them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mien.trust.authenticity import Calibration
from mien.trust.fitted import COLUMNS, read_table
from mien.trust.folder import SHIPPED
from mien.trust.fusion import Fusion, blanked_within, fuse
from mien.trust.models import Models
from mien.trust.sources import HIDDEN_SOURCES, Source
from mien.types import AREAS, EMOTIONS, Part

RESULTS = Path(__file__).parents[2] / "docs" / "results" / "trust"
NETWORKS = [
    n for n, e in json.loads((SHIPPED / "manifest.json").read_text())["networks"].items() if len(e) == len(AREAS)
]
SUBSETS = [frozenset(p for i, p in enumerate(Part) if m >> i & 1) for m in range(1, 8)]


@pytest.mark.parametrize("network", NETWORKS)
def test_the_shipped_calibration_belongs_to_the_shipped_networks(network: str) -> None:
    assert Calibration.load(None, network).belongs_to(Models(None, network))
    for name in COLUMNS:
        assert len(read_table(None, name, network))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("visible", SUBSETS, ids=lambda v: "+".join(sorted(v)))
def test_every_answer_that_can_be_given_can_be_judged(network: str, visible: frozenset[Part]) -> None:
    calibration, fusion = Calibration.load(None, network), Fusion.load(None, network)
    logits = dict.fromkeys(AREAS, (4 * np.eye(8)).astype(np.float32))
    sees = Models(None, network).sees_hidden
    blanked = {} if sees else {area: logits[area] for area in blanked_within(visible)}
    fused = [fuse(logits, visible, fusion, given) for given in (None, blanked or None)]
    for source in {answer.source for answer in fused} | (set(HIDDEN_SOURCES) if sees else set()):
        judged = calibration.judge(source, logits[AREAS[0]])
        assert all(0 <= i.low <= i.value <= i.high <= 1 for i in judged)
        assert all(len(s) >= 1 for s in calibration.prediction_set(source, logits[AREAS[0]], 0.9))
    assert (Source(fused[1].source).kind == "partial") == (len(visible) == 2 and not sees)


def test_the_default_is_calibrated_first() -> None:
    assert Calibration.load().belongs_to(Models())


def test_the_authenticity_table_claims_no_certainty() -> None:
    table = read_table(None, "authenticity")
    assert len(table) == len(AREAS) * len(EMOTIONS)
    assert table["p"].between(0.01, 0.99).all()
    never = table[table["n"] == 0]
    assert (never["high"] - never["low"] > 0.15).all()


def recorded(name: str) -> dict:
    return json.loads((RESULTS / name).read_text())


def test_recorded_calibration_reaches_its_bars() -> None:
    summary = recorded("summary.json")
    one = summary["networks"][summary["default"]]
    assert one["brier_better_everywhere"]
    assert 0.93 <= one["interval_coverage_repeated"]["covered"] <= 0.97
    assert one["interval_coverage"]["pairs"] >= 20


def test_hidden_pieces_are_found_on_validation_faces_looked_at_by_eye() -> None:
    entry = json.loads((SHIPPED / "manifest.json").read_text())["networks"]["resnet"]["whole_face"]
    for piece in ("right_eye", "left_eye", "mouth"):
        found = entry["thresholds_on_validation"][piece]
        assert found["wrong"] <= 0.03
        assert (found["found"] + 1 - found["wrong"]) / 2 >= 0.8
        assert found["hidden"] >= 50


def test_recorded_answers_behind_drawn_covers_are_at_least_as_good_as_those_from_the_visible_areas() -> None:
    covered = recorded("occlusion.json")["covered"]
    for part in Part:
        assert covered[part.value]["shipped"] >= covered[part.value]["visible_areas"]
