"""The mix of emotions of an unlabelled collection, from what the networks say of its faces.

Maximum likelihood for label shift (MLLS; Saerens, Latinne and Decaestecker 2002): faces of one emotion are taken to
look alike here and in the collection that the calibration was fitted on, so that of a face's calibrated probabilities
``p`` under the old mix, ``sum_k new_k p_k / old_k`` is the likelihood of the new mix. Expectation maximisation climbs
it; it has one maximum. The probabilities must be calibrated class by class, or the estimate runs away (Alexandari,
Kundaje and Shrikumar 2020): vector scaling does that, the plain softmax does not. A few imagined faces of the old mix
hold emotions that nothing was seen of.

No library is used: of the published ones, QuaPy brings data set downloaders, plotting and scikit-learn models for what
is ten lines of numpy here, and abstention, which it uses for this, has not been kept since 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mien.measure.fit.probabilities import fit_vector
from mien.trust.authenticity import softmax
from mien.trust.prior import Prior
from mien.trust.reference import ReferenceAnswers
from mien.types import EMOTIONS, N_EMOTIONS, Float32, Float64

Labels = npt.NDArray[np.int64]

IMAGINED = 16.0
"""Faces of the old mix that the estimate starts from; chosen on validation faces (scripts/measure/mixes.py)."""

UNLABELLED_PER_LABELLED = 3.0
"""Where some faces are labelled, the others weigh at most this many times as much: they say nothing of whether faces of
one emotion look alike in both collections."""

FEWEST_FACES = 30
"""Fewer faces say nothing of eight shares."""

WIDEST = 0.15
"""A share whose 95% interval is wider than this is called not identified."""

UNLIKE = 0.1
"""Where the emotions said differ by more than this from what the best mix explains (total variation), faces of one
emotion do not look alike in both collections."""


@dataclass(frozen=True, eq=False)
class MixEstimate:
    """An estimated mix.

    Attributes:
        prior: the estimate.
        low: float64 [8], lower end of each share's 95% bootstrap interval.
        high: float64 [8], upper end.
        faces: how many faces it rests on.
        labelled: how many of them were labelled.
        misfit: total variation, 0..1, between the emotions said and those that the estimate explains.
        warnings: plain sentences; empty where nothing stands against using it.
    """

    prior: Prior
    low: Float64
    high: Float64
    faces: int
    labelled: int
    misfit: float
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON; ``Prior.parse`` reads the file."""
        return {
            "prior": {name: round(share, 5) for name, share in self.prior.to_dict().items()},
            "low": dict(zip(map(str, EMOTIONS), np.round(self.low, 5).tolist(), strict=True)),
            "high": dict(zip(map(str, EMOTIONS), np.round(self.high, 5).tolist(), strict=True)),
            "faces": self.faces,
            "labelled": self.labelled,
            "misfit": round(self.misfit, 4),
            "warnings": list(self.warnings),
        }


class Rows(Protocol):
    """Answers and what is right."""

    @property
    def logits(self) -> Float32:
        """float32 [N, 8]."""

    @property
    def labels(self) -> Labels:
        """int64 [N]."""


@dataclass(frozen=True, eq=False)
class SourceAnswers:
    """Answers of one source for a collection's faces.

    Attributes:
        logits: float32 [N, 8].
        labels: int64 [N], position of the right emotion where a face is labelled, -1 elsewhere; labelled faces must be
            drawn at random from the collection.
    """

    logits: Float32
    labels: Labels


def estimate_mix(
    answers: Mapping[str, SourceAnswers],
    reference: Mapping[str, ReferenceAnswers],
    old: Float64 | Float32,
    draws: int = 200,
    seed: int = 0,
) -> MixEstimate:
    """Estimate the mix of emotions among faces.

    Args:
        answers: by source, answers for the collection's faces; none of a source that ``reference`` lacks.
        reference: by source, labelled answers of the same network: what the probabilities are calibrated on.
        old: float [8], the mix of the calibration.
        draws: bootstrap replicates, over the collection's faces and the reference's.
        seed: of the draws.

    Raises:
        ValueError: there is no face.
        KeyError: there is no reference for a source.
    """
    answers = {name: rows for name, rows in answers.items() if len(rows.labels)}
    if not answers:
        raise ValueError("estimate_mix: there is no face")
    start = np.asarray(old, np.float64) / float(np.sum(old))
    shares = _best(answers, {name: reference[name] for name in answers}, start)
    generator, drawn = np.random.default_rng(seed), []
    for _ in range(draws):
        kept = {name: _resampled(reference[name], generator) for name in answers}
        drawn.append(_best({name: _resampled(rows, generator) for name, rows in answers.items()}, kept, start))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0) if drawn else (shares, shares)
    low, high = np.minimum(low, shares), np.maximum(high, shares)
    labels = np.concatenate([rows.labels for rows in answers.values()])
    misfit = _misfit(answers, reference, shares)
    warnings = _warnings(len(labels), low, high, misfit)
    return MixEstimate(
        Prior("estimated", tuple(shares)), low, high, len(labels), int((labels >= 0).sum()), misfit, warnings
    )


def mlls(probabilities: Float64, old: Float64, labels: Labels | None = None, imagined: float = IMAGINED) -> Float64:
    """The mix float64 [8] of the highest likelihood, by expectation maximisation.

    Args:
        probabilities: float64 [M, 8], calibrated under the old mix.
        old: float64 [8], the old mix; the mix starts there.
        labels: int64 [M], -1 where a face is not labelled; None where none is.
        imagined: faces of the old mix that are added.
    """
    known = np.zeros(len(probabilities), bool) if labels is None else labels >= 0
    counts = np.zeros(N_EMOTIONS) if labels is None else np.bincount(labels[known], minlength=N_EMOTIONS)
    ratio, shares = np.maximum(probabilities[~known], 1e-12) / old, np.array(old, np.float64)
    weight = 1.0
    if known.any() and len(ratio):
        weight = min(1.0, UNLABELLED_PER_LABELLED * int(known.sum()) / len(ratio))
    for _ in range(1000):
        belief = ratio * shares
        seen = weight * (belief / belief.sum(axis=1, keepdims=True)).sum(axis=0)
        new = seen + counts + imagined * old
        new /= new.sum()
        if np.abs(new - shares).max() < 1e-7:
            break
        shares = new
    return np.asarray(shares, np.float64)


def _best(answers: Mapping[str, SourceAnswers], reference: Mapping[str, Rows], old: Float64) -> Float64:
    probabilities, labels = [], []
    for name, rows in answers.items():
        scale, shift = fit_vector(reference[name].logits, reference[name].labels)
        probabilities.append(softmax(rows.logits * scale + shift))
        labels.append(rows.labels)
    return mlls(np.concatenate(probabilities), old, np.concatenate(labels))


def _resampled(rows: Rows, generator: np.random.Generator) -> SourceAnswers:
    chosen = generator.integers(0, len(rows.labels), len(rows.labels))
    return SourceAnswers(rows.logits[chosen], rows.labels[chosen])


def _misfit(answers: Mapping[str, SourceAnswers], reference: Mapping[str, ReferenceAnswers], shares: Float64) -> float:
    """Total variation between the emotions said, and those that reference faces of this mix would be said."""
    said, explained, faces = np.zeros(N_EMOTIONS), np.zeros(N_EMOTIONS), 0
    for name, rows in answers.items():
        said += np.bincount(rows.logits.argmax(axis=1), minlength=N_EMOTIONS)
        confusion = 0.5 * np.eye(N_EMOTIONS)
        np.add.at(confusion, (reference[name].labels, reference[name].logits.argmax(axis=1)), 1.0)
        explained += len(rows.labels) * (shares @ (confusion / confusion.sum(axis=1, keepdims=True)))
        faces += len(rows.labels)
    return float(0.5 * np.abs(said - explained).sum() / faces)


def _warnings(faces: int, low: Float64, high: Float64, misfit: float) -> tuple[str, ...]:
    found = []
    if faces < FEWEST_FACES:
        found.append(f"{faces} faces are too few to estimate a mix: at least {FEWEST_FACES}, better some hundreds.")
    wide = [f"{e.value} ({a:.0%} to {b:.0%})" for e, a, b in zip(EMOTIONS, low, high, strict=True) if b - a > WIDEST]
    if wide:
        found.append(f"Not identified: {', '.join(wide)}. More faces, or about 100 labelled ones, would say.")
    if misfit > UNLIKE:
        found.append(
            f"No mix explains what is said of these faces ({misfit:.0%} remain): they look unlike those that mien was"
            " calibrated on, and re-weighting may mislead. Label about 100 faces, or calibrate on your own."
        )
    return tuple(found)
