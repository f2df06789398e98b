"""Does trust hold on a labelled collection? Said against true, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.data import read
from mien.data.samples import Sample, Split
from mien.errors import TableError, UsageError
from mien.measure.collection import FaceAnswer, answers_of_samples
from mien.measure.metrics import calibration_error, wilson
from mien.trust.answer import Judge
from mien.trust.authenticity import Calibration
from mien.trust.models import Models
from mien.trust.prior import Prior
from mien.types import EMOTIONS, N_EMOTIONS, Area, Emotion, Float64, Interval

HOLDS = 0.03
"""A difference between said and true up to which trust is said to hold."""


@dataclass(frozen=True)
class Held:
    """Said against true, of some answers.

    Attributes:
        name: which answers.
        said: mean ``p_correct``.
        true: share that is right, with its 95% interval and n.
        error: calibration error (15 bins).
        kept: share of answers whose ``p_correct`` is at least 0.9.
        right_of_kept: share of those that is right, with its interval.
    """

    name: str
    said: float
    true: Interval
    error: float
    kept: float
    right_of_kept: Interval

    @property
    def difference(self) -> float:
        """Said minus true."""
        return self.said - self.true.value

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return {
            "name": self.name, "n": self.true.n, "said": round(self.said, 4), "true": round(self.true.value, 4),
            "low": round(self.true.low, 4), "high": round(self.true.high, 4), "difference": round(self.difference, 4),
            "calibration_error": round(self.error, 4), "kept_at_0.9": round(self.kept, 4),
            "right_of_kept": self.right_of_kept.to_dict(),
        }  # fmt: skip


def held(name: str, sure: Float64, right: npt.NDArray[np.bool_]) -> Held:
    """Said against true.

    Args:
        name: which answers.
        sure: float64 [N], ``p_correct``.
        right: bool [N].

    Raises:
        ValueError: there is no answer.
    """
    if not len(sure):
        raise ValueError(f"{name}: there is no answer")
    high = sure >= 0.9
    return Held(
        name, float(sure.mean()), wilson(int(right.sum()), len(right)), calibration_error(sure, right),
        float(high.mean()), wilson(int(right[high].sum()), int(high.sum())),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class TrustCheckup:
    """A labelled collection's check.

    Attributes:
        rows: all answers, then those that say each emotion.
        mix: share of each emotion among the labels.
        under_mix: all answers once more, with that mix given.
        without: labelled photos without a face or an answer.
    """

    rows: tuple[Held, ...]
    mix: Prior
    under_mix: Held
    without: int

    @property
    def advice(self) -> str:
        """What to do, in a sentence."""
        first = self.rows[0]
        if first.true.n < 100:
            return f"{first.true.n} answers are too few to say: label some hundreds."
        if abs(first.difference) <= HOLDS or first.true.low <= first.said <= first.true.high:
            return "Trust holds here: use p_correct as it is."
        if abs(self.under_mix.difference) < 0.6 * abs(first.difference):
            return (
                "The mix of emotions differs from that of the calibration, and with the mix given trust holds better: "
                f"use  --prior {self.mix.text}"
            )
        return (
            "These faces differ in more than their mix of emotions: calibrate on your own labelled faces"
            " (mien data prepare, mien calibrate --cache), or take p_correct as a rank only."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return {
            "all": self.rows[0].to_dict(), "by_emotion": [row.to_dict() for row in self.rows[1:]],
            "mix": self.mix.to_dict(), "under_mix": self.under_mix.to_dict(), "without_answer": self.without,
            "advice": self.advice,
        }  # fmt: skip

    def __str__(self) -> str:
        head = f"{'answers':<24}{'n':>7}{'said':>8}{'true':>8}{'95% interval':>18}{'difference':>12}"
        rows = [*self.rows, self.under_mix]
        lines = [head, *(_line(row) for row in rows)]
        if self.without:
            lines.append(f"{self.without} labelled photos have no face or no answer")
        return "\n".join([*lines, self.advice])


def _line(row: Held) -> str:
    interval = f"{row.true.low:.1%} to {row.true.high:.1%}"
    points = f"{100 * row.difference:+.1f} points"
    return f"{row.name:<24}{row.true.n:>7,}{row.said:>8.1%}{row.true.value:>8.1%}{interval:>18}{points:>12}"


def check_answers(
    faces: Iterable[FaceAnswer], labels: Mapping[str, Emotion], calibration: Calibration, prior: Prior | None = None
) -> TrustCheckup:
    """Check the largest face of each labelled photo.

    Args:
        faces: answers.
        labels: emotion by ``FaceAnswer.photo``.
        calibration: of the networks.
        prior: mix of emotions given to the answers; None gives none.

    Raises:
        TableError: no labelled photo has an answer.
    """
    judge, found = Judge(calibration, prior=prior), dict[str, tuple[FaceAnswer, Emotion]]()
    for face in faces:
        if face.number == 0 and face.source and face.photo in labels:
            found[face.photo] = face, labels[face.photo]
    if not found:
        raise TableError("no labelled photo has a face and an answer")
    rows, truth = [face for face, _ in found.values()], np.array([label.position for _, label in found.values()])
    sure, said = judged(rows, judge)
    counts = np.bincount(truth, minlength=N_EMOTIONS)
    mix = Prior.of({e.value: float(n) for e, n in zip(EMOTIONS, counts, strict=True)}, "of the labels")
    again, under = judged(rows, Judge(calibration, prior=mix))
    parts = [held("all", sure, said == truth)]
    parts += [
        held(f"says {e.value}", sure[said == i], (said == truth)[said == i])
        for i, e in enumerate(EMOTIONS)
        if (said == i).any()
    ]
    return TrustCheckup(
        tuple(parts), mix, held("all, with their own mix", again, under == truth), len(labels) - len(found)
    )


def judged(faces: list[FaceAnswer], judge: Judge) -> tuple[Float64, npt.NDArray[np.int64]]:
    """``p_correct`` float64 [N] and the emotion said int64 [N] of each face."""
    sure, said = np.zeros(len(faces)), np.zeros(len(faces), np.int64)
    for source in {face.source for face in faces}:
        at = [i for i, face in enumerate(faces) if face.source == source]
        logits = np.array([faces[i].logits for i in at], np.float32)
        for i, answer in zip(at, judge.predictions(Area.WHOLE_FACE, logits, source), strict=True):
            right = answer.p_correct
            sure[i], said[i] = 0.0 if right is None else right.value, answer.emotion.position
    return sure, said


def samples_to_check(text: str, split: Split | None = None) -> list[Sample]:
    """The labelled pictures that a call names.

    Args:
        text: ``NAME:ROOT``, a data set in its official layout; a folder with a folder an emotion; or a CSV with the
            columns image and emotion.
        split: only this one; None is ``test`` of a data set with an official layout, and everything of one's own.

    Raises:
        UsageError: it is none of these.
        DatasetError: it is damaged.
    """
    path = Path(text).expanduser()
    name, colon, root = text.partition(":")
    if path.exists():
        samples, official = read("own", path, "folder").samples, False
    elif colon and name and root:
        samples, official = read(name, root).samples, name in ("ferplus", "rafdb", "expw")
    else:
        raise UsageError(f"--data: {text!r} is neither NAME:ROOT nor a folder or CSV that is there")
    wanted = split or ("test" if official else None)
    return [sample for sample in samples if wanted is None or sample.split == wanted]


def check_samples(
    samples: Sequence[Sample], models: Models, prior: Prior | None = None, quiet: bool = False
) -> TrustCheckup:
    """Check labelled pictures, each by its largest face.

    Args:
        samples: labelled.
        models: calibrated networks.
        prior: mix of emotions given to the answers.
        quiet: show no progress.

    Raises:
        TableError: none has an answer.
        ModelError: the networks were never calibrated.
    """
    calibration = Calibration.load(models.folder, models.network)
    labels = {sample.id: sample.label for sample in samples}
    return check_answers(answers_of_samples(samples, models, quiet), labels, calibration, prior)
