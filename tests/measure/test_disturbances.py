"""Each disturbance does what its name says, and the measure counts from the undisturbed answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from builders.data import drawn_face, write_picture
from mien.data.samples import Sample
from mien.measure import disturbances as robustness
from mien.trust.models import Models
from mien.types import AREAS, EMOTIONS, Area, UInt8


def test_disturbances_do_what_they_say() -> None:
    gray = drawn_face(0)
    table = robustness.disturbances()
    np.testing.assert_array_equal(table[robustness.UNDISTURBED](gray), gray)
    assert {f"{side} px" for side in robustness.SIDES} <= set(table)
    assert table["24 px"](gray).shape == (24, 24)
    assert table["512 px"](gray).shape == (512, 512)
    assert np.abs(table["brightness halved"](gray).astype(float) - gray / 2).max() <= 1
    assert np.ptp(table["contrast halved"](gray)) == pytest.approx(np.ptp(gray) / 2, abs=1)
    assert np.diff(table["blur (1 in 48 px)"](gray).astype(float)).std() < np.diff(gray.astype(float)).std()
    left, right = table["turned left 15 degrees"](gray), table["turned right 15 degrees"](gray[:, ::-1])
    np.testing.assert_allclose(left, right[:, ::-1], atol=2)
    assert table["JPEG quality 30"](gray).shape == gray.shape


def test_measure_counts_right_and_same_answers(
    tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = []
    for i in range(4):
        file = tmp_path / f"{i}.png"
        write_picture(file, drawn_face(i))
        votes = np.eye(8, dtype=np.float32)[i % 2]
        samples.append(Sample(str(i), "drawn", "test", file, None, EMOTIONS[i % 2], votes))
    chosen = {name: robustness.disturbances()[name] for name in (robustness.UNDISTURBED, "brightness halved")}
    monkeypatch.setattr(robustness, "disturbances", lambda: chosen)
    calls: list[int] = []

    def answer(area: Area, crops: UInt8) -> np.ndarray:
        calls.append(len(crops))
        return np.array([0, 0, 0, 1] if len(calls) <= len(AREAS) else [0, 1, 0, 1])

    table = robustness.measure(samples, Models(tiny_models), answer, workers=1, progress=lambda _: None)
    assert len(table) == 2 * len(AREAS)
    first, second = table[table["disturbance"] == robustness.UNDISTURBED], table.iloc[len(AREAS) :]
    assert first["same_answer"].eq(1).all()
    assert first["accuracy"].eq(0.75).all()
    assert second["accuracy"].eq(1.0).all()
    assert second["same_answer"].eq(0.75).all()
    assert (table["face_size"] > 0).all()
    low, high = robustness.measured_sizes(table.assign(face_size=[20.04] * 7 + [400.0] * 7))
    assert (low, high) == (20.0, 400.0)
