"""The estimated mix of emotions: right by simulation, its interval, what labels add, and when it warns."""

from __future__ import annotations

import numpy as np
import pytest

from mien.measure.fit.mix import IMAGINED, SourceAnswers, estimate_mix, mlls
from mien.trust.prior import Prior
from mien.trust.reference import ReferenceAnswers

OLD = np.array([0.3, 0.25, 0.15, 0.1, 0.08, 0.04, 0.05, 0.03])
NEW = np.array([0.05, 0.05, 0.1, 0.3, 0.25, 0.15, 0.05, 0.05])


def faces(shares: np.ndarray, n: int, seed: int, apart: float = 2.5) -> tuple[np.ndarray, np.ndarray]:
    """Logits twice too sure and biased, and labels: only class-wise calibration makes them usable."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(8, n, p=shares)
    seen = apart * np.eye(8)[labels] + generator.standard_normal((n, 8))
    return (2 * (apart * seen + np.log(OLD)) + np.linspace(0, 3, 8)).astype(np.float32), labels


def unlabelled(shares: np.ndarray, n: int, seed: int, apart: float = 2.5) -> tuple[SourceAnswers, np.ndarray]:
    logits, labels = faces(shares, n, seed, apart)
    return SourceAnswers(logits, np.full(n, -1)), labels


@pytest.fixture(scope="module")
def reference() -> dict[str, ReferenceAnswers]:
    return {"whole_face": ReferenceAnswers(*faces(OLD, 4_000, 0))}


def test_finds_the_mix_and_its_interval(reference: dict[str, ReferenceAnswers]) -> None:
    answers, labels = unlabelled(NEW, 1_500, 1)
    found = estimate_mix({"whole_face": answers}, reference, OLD, draws=40)
    true = np.bincount(labels, minlength=8) / len(labels)
    assert 0.5 * np.abs(np.array(found.prior.shares) - true).sum() < 0.05
    assert ((found.low <= NEW) & (found.high >= NEW)).sum() >= 6
    assert not found.warnings
    assert found.faces == 1_500
    assert found.labelled == 0


def test_plain_softmax_would_not() -> None:
    reference = {"whole_face": ReferenceAnswers(*faces(OLD, 4_000, 0, 1.2))}
    answers, _ = unlabelled(NEW, 6_000, 1, 1.2)
    powers = np.exp(answers.logits - answers.logits.max(axis=1, keepdims=True))
    plain = mlls(powers / powers.sum(axis=1, keepdims=True), OLD)
    found = np.array(estimate_mix({"whole_face": answers}, reference, OLD, draws=0).prior.shares)
    assert np.abs(plain - NEW).sum() > 2 * np.abs(found - NEW).sum()


def test_several_sources_are_put_together(reference: dict[str, ReferenceAnswers]) -> None:
    both = reference | {"hidden_mouth": ReferenceAnswers(*faces(OLD, 3_000, 2, apart=1.5))}
    one, _ = unlabelled(NEW, 800, 3)
    other, _ = unlabelled(NEW, 800, 4, apart=1.5)
    found = estimate_mix({"whole_face": one, "hidden_mouth": other}, both, OLD, draws=0)
    assert 0.5 * np.abs(np.array(found.prior.shares) - NEW).sum() < 0.08


def test_labels_refine(reference: dict[str, ReferenceAnswers]) -> None:
    logits, labels = faces(NEW, 120, 5, apart=0.4)
    reference = {"whole_face": ReferenceAnswers(*faces(OLD, 4_000, 6, apart=0.4))}
    without = estimate_mix({"whole_face": SourceAnswers(logits, np.full(120, -1))}, reference, OLD, draws=30)
    given = np.where(np.arange(120) < 100, labels, -1)
    refined = estimate_mix({"whole_face": SourceAnswers(logits, given)}, reference, OLD, draws=30)
    assert refined.labelled == 100
    assert np.abs(np.array(refined.prior.shares) - NEW).sum() < np.abs(np.array(without.prior.shares) - NEW).sum()
    assert (refined.high - refined.low).sum() < (without.high - without.low).sum()


def test_warns_of_few_faces_and_of_what_is_not_identified(reference: dict[str, ReferenceAnswers]) -> None:
    few, _ = unlabelled(NEW, 20, 7)
    assert "too few" in estimate_mix({"whole_face": few}, reference, OLD, draws=20).warnings[0]
    blind = {"whole_face": ReferenceAnswers(*faces(OLD, 300, 8, apart=0.25))}
    unclear, _ = unlabelled(NEW, 300, 9, apart=0.25)
    warnings = estimate_mix({"whole_face": unclear}, blind, OLD, draws=30).warnings
    assert any(text.startswith("Not identified") for text in warnings)


def test_warns_of_faces_that_look_otherwise(reference: dict[str, ReferenceAnswers]) -> None:
    strange = np.zeros((500, 8), np.float32)
    strange[:, 5] = 1.0  # all the same: no mix of the reference's faces is said to be disgust alone, at random
    found = estimate_mix({"whole_face": SourceAnswers(strange, np.full(500, -1))}, reference, OLD, draws=5)
    assert any("unlike" in text for text in found.warnings)


def test_no_face_keeps_the_old_mix() -> None:
    with pytest.raises(ValueError, match="no face"):
        estimate_mix({}, {}, OLD)
    assert np.allclose(mlls(np.zeros((0, 8)), OLD), OLD)
    assert IMAGINED > 0


def test_written_estimate_is_read_as_a_prior(reference: dict[str, ReferenceAnswers], tmp_path) -> None:
    import json

    answers, _ = unlabelled(NEW, 200, 10)
    found = estimate_mix({"whole_face": answers}, reference, OLD, draws=5)
    path = tmp_path / "mix.json"
    path.write_text(json.dumps(found.to_dict()))
    assert np.allclose(Prior.parse(str(path)).shares, found.prior.shares, atol=1e-4)
