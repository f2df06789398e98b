"""The mix of emotions among the faces that are analysed, where it is not that of the faces mien was calibrated on.

A calibration holds for the mix it was fitted on: FER+ is 36% neutral and 0.5% contempt. On faces posed evenly for all
emotions, the same answers are right far less often. Where the user knows the mix (or ``mien calibrate --unlabelled``
estimated it), everything said of a face is re-weighted for it, by Bayes' rule, assuming that faces of one emotion look
alike in both collections (label shift; Saerens, Latinne and Decaestecker 2002):

- The judge's P(right), here ``r``, is the probability of the emotion ``e`` that the network says. The other emotions
  share what is left as the vector-scaled probabilities say: ``q_e = r``, ``q_k = (1 - r) v_k / (1 - v_e)``.
- Under the new mix, ``q'_k`` is proportional to ``q_k new_k / old_k``. The answer is its largest entry, and that entry
  is the answer's P(right): for an unchanged answer, its odds are multiplied by ``w_e`` over the mean ``w`` of the other
  emotions, where ``w = new / old``. Probabilities and P(right) are one and the same number.
- Ends of the interval of ``r`` go the same way; what is uncertain about the mix itself is not in them.
- A prediction set holds every emotion whose ``q'`` reaches a threshold: the quantile of the right emotion's ``q'`` over
  the fitting faces (``mien.trust.reference``), each weighted by its emotion's ``w`` (weighted split conformal;
  Podkopaev and Ramdas 2021).
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import UsageError
from mien.trust.fitted import read_fitted
from mien.types import EMOTIONS, N_EMOTIONS, Float64

BALANCED = "balanced"


@dataclass(frozen=True)
class Prior:
    """Share of each emotion among the faces that are analysed.

    Attributes:
        name: how it was given: ``balanced``, ``ferplus``, a file's name, or the shares themselves.
        shares: 8 numbers in canonical order of the emotions, 0..1, sum 1; an emotion of share 0 is never answered.
    """

    name: str
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.shares) != N_EMOTIONS or not all(math.isfinite(s) and s >= 0 for s in self.shares):
            raise UsageError(f"a mix of emotions is {N_EMOTIONS} shares of at least 0, got {self.shares}")
        total = math.fsum(self.shares)
        if not total > 0:
            raise UsageError("a mix of emotions needs at least one share above 0")
        object.__setattr__(self, "shares", tuple(s / total for s in self.shares))

    @classmethod
    def of(cls, shares: Mapping[str, float], name: str = "") -> Prior:
        """From shares (or counts) by emotion; what is not named has share 0.

        Raises:
            UsageError: an emotion is unknown, a share negative or no number, or all are 0.
        """
        unknown = [str(key) for key in shares if key not in set(EMOTIONS)]
        if unknown:
            raise UsageError(f"no emotion is called {unknown[0]!r}: choose from {', '.join(EMOTIONS)}")
        prior = cls(name, tuple(float(shares.get(emotion, 0.0)) for emotion in EMOTIONS))
        return prior if name else cls(prior.text, prior.shares)

    @classmethod
    def parse(cls, text: str, files: bool = True) -> Prior:
        """A mix as it is written on the command line.

        Args:
            text: ``balanced``; ``ferplus``, the mix of FER+'s training faces; ``emotion=share,...``, counts do as well;
                or the path of a CSV (columns emotion, share) or JSON file (emotion to share; also what
                ``mien calibrate --unlabelled --out`` wrote).
            files: False reads no file, for callers who may not name one.

        Raises:
            UsageError: it is none of these, or damaged.
        """
        text = text.strip()
        if text == BALANCED:
            return cls(BALANCED, (1.0,) * N_EMOTIONS)
        if text == "ferplus":
            return cls("ferplus", read_fitted(None, "calibration.json", None, _fitted_shares))
        if "=" in text and not (files and Path(text).is_file()):
            return cls.of(_pairs(part.partition("=")[::2] for part in text.split(",") if part.strip()))
        if not files:
            raise UsageError(f"prior: expected balanced, ferplus, or emotion=share,...; got {text!r}")
        return cls._read(Path(text).expanduser())

    @classmethod
    def _read(cls, path: Path) -> Prior:
        try:
            content = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"prior: {str(path)!r} is neither balanced, ferplus, nor emotion=share,..., nor a file that can be read"
                f" ({getattr(error, 'strerror', None) or 'it is no text'})"
            ) from None
        try:
            return cls.of(_shares_of(content), path.name)
        except (ValueError, TypeError, KeyError, AttributeError, csv.Error) as error:
            raise UsageError(
                f"{path} holds no mix of emotions: expected a CSV with the columns emotion and share,"
                f" or a JSON object of emotion and share ({error})"
            ) from None

    @property
    def text(self) -> str:
        """``neutral=0.36,happiness=0.28,...``, without shares of 0; :meth:`parse` reads it."""
        pairs = zip(EMOTIONS, self.shares, strict=True)
        return ",".join(f"{emotion.value}={share:.4g}" for emotion, share in pairs if share > 0)

    def to_dict(self) -> dict[str, float]:
        """Share by emotion, for JSON."""
        return {emotion.value: share for emotion, share in zip(EMOTIONS, self.shares, strict=True)}

    @property
    def named(self) -> dict[str, Any]:
        """Name and shares, as results and identities say which mix was taken into account."""
        return {"name": self.name, "shares": self.to_dict()}

    def weights(self, old: Iterable[float]) -> Float64:
        """New share over old share, float64 [8].

        Args:
            old: float [8], the mix that something was calibrated on; every share above 0.
        """
        return np.asarray(self.shares, np.float64) / np.asarray(list(old), np.float64)


def prior_of_choice(choice: Prior | str | Mapping[str, float] | None) -> Prior | None:
    """A mix given as itself, as text (:meth:`Prior.parse`) or as shares by emotion; None stays None.

    Raises:
        UsageError: it is no mix.
    """
    if choice is None or isinstance(choice, Prior):
        return choice
    return Prior.parse(choice) if isinstance(choice, str) else Prior.of(choice)


def _shares_of(content: str) -> dict[str, float]:
    if content.lstrip().startswith("{"):
        values = json.loads(content)
        values = values.get("prior", values)
        return {str(key): float(value) for key, value in values.items()}
    rows = list(csv.DictReader(content.splitlines()))
    if not rows:
        raise ValueError("it is empty")
    return _pairs((row["emotion"], row["share"]) for row in rows)


def _pairs(pairs: Iterable[tuple[str, ...]]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for name, share in pairs:
        name = name.strip().lower()
        if name in shares:
            raise UsageError(f"prior: {name} is named twice")
        try:
            shares[name] = float(share)
        except ValueError:
            raise UsageError(f"prior: the share of {name} is no number: {share!r}") from None
    return shares


def judged_probabilities(informative: Float64, said: Float64, right: Float64) -> Float64:
    """Probabilities whose entry of the emotion said is the judge's P(right); the others keep their proportions.

    Args:
        informative: float64 [N, 8], vector-scaled probabilities.
        said: int [N], the emotion said.
        right: float64 [N], the judge's P(right).

    Returns:
        float64 [N, 8], rows sum to 1.
    """
    rows, index = np.arange(len(said)), np.asarray(said, np.int64)
    others = np.maximum(informative, 1e-12)
    others[rows, index] = 0.0
    others = others / others.sum(axis=1, keepdims=True) * (1 - right)[:, None]
    others[rows, index] = right
    return np.asarray(others, np.float64)


def reweighted(probabilities: Float64, weights: Float64) -> Float64:
    """Probabilities float64 [N, 8] under another mix: rows of ``p_k w_k``, normalised.

    Args:
        probabilities: float64 [N, 8], under the old mix.
        weights: float64 [8], new share over old share; not all 0.
    """
    out = np.maximum(probabilities, 1e-12) * weights
    return np.asarray(out / out.sum(axis=1, keepdims=True), np.float64)


def _fitted_shares(calibration: Mapping[str, Any]) -> tuple[float, ...]:
    """The mix among the faces that the shipped networks were calibrated on."""
    return tuple(float(share) for share in calibration["prior"])


def judged_under(
    informative: Float64, said: Float64, right: tuple[Float64, Float64, Float64], weights: Float64
) -> tuple[Float64, tuple[Float64, Float64, Float64]]:
    """Probabilities and P(right) of the answer under another mix; see the head of this module.

    Args:
        informative: float64 [N, 8], vector-scaled probabilities under the old mix.
        said: int [N], the emotion said under the old mix.
        right: the judge's P(right) under the old mix and its interval: value, low, high, each float64 [N].
        weights: float64 [8], new share over old share.

    Returns:
        float64 [N, 8], whose largest entry is the answer's P(right); and value, low, high of the answer's P(right).
    """
    value, low, high = (reweighted(judged_probabilities(informative, said, r), weights) for r in right)
    answer, rows = value.argmax(axis=1), np.arange(len(value))
    ends = np.sort(np.stack([low[rows, answer], value[rows, answer], high[rows, answer]]), axis=0)
    return value, (value[rows, answer], ends[0], ends[2])


def weighted_threshold(own: Float64, weights: Float64, coverage: float) -> float:
    """Weighted split conformal: the probability that an emotion must reach to belong to a prediction set.

    Args:
        own: float64 [N], probability that the right emotion of each fitting face got.
        weights: float64 [N], how much each face counts: its emotion's new share over its old share.
        coverage: 0..1, share of sets that are to hold the right emotion.

    Returns:
        The largest threshold with which the faces below it, and one new face of the largest weight, weigh at most
        ``1 - coverage`` of all; 0 (all emotions) where there are too few faces for the coverage.
    """
    order = np.argsort(own, kind="stable")
    new_face = float(weights.max(initial=0.0))
    below = np.cumsum(weights[order]) + new_face
    allowed = (1 - coverage) * (float(weights.sum()) + new_face)
    lost = int(np.searchsorted(below, allowed + 1e-12, side="right"))
    return float(own[order[lost]]) if lost and lost < len(own) else 0.0
