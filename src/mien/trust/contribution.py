"""What each visible part of one face contributes to its answer, in bits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from mien.trust.shapley import shapley
from mien.types import EMOTIONS, PARTS, Area, Emotion, Float32, Part


@dataclass(frozen=True)
class PhotoContribution:
    """Which part of one face spoke for its answer, and which against.

    Attributes:
        emotion: the answer.
        bits: by visible part, its Shapley value: how many bits it adds to the log2 probability of the answer.
        prior: probability of the answer with no part seen.
        probability: probability of the answer with all visible parts; log2(probability / prior) is the sum of bits.
    """

    emotion: Emotion
    bits: Mapping[Part, float]
    prior: float
    probability: float

    def to_dict(self) -> dict[str, object]:
        """Plain numbers and strings, for JSON."""
        return {
            "emotion": self.emotion.value,
            "bits": {part.value: self.bits[part] for part in PARTS if part in self.bits},
            "prior": self.prior,
            "probability": self.probability,
        }

    def in_words(self) -> str:
        """``mouth speaks for happiness (+1.2 bits), eyes against (-0.3 bits)``."""
        order = sorted(self.bits.items(), key=lambda item: -item[1])
        parts = [f"{part.value} {'for' if bits > 0 else 'against'} ({bits:+.1f} bits)" for part, bits in order]
        return f"{self.emotion.value}: {', '.join(parts)}"


def photo_contribution(
    probabilities: Mapping[Area, Float32], emotion: Emotion, prior: Float32, visible: Iterable[Part] = PARTS
) -> PhotoContribution:
    """Shapley values of the visible parts of one face for the log2 probability of its answer.

    Args:
        probabilities: calibrated, float32 [8], what mien answers from each area that shows visible parts only. For a
            fused answer give the fused probabilities of each area, so that the bits sum to what the user reads.
        emotion: the answer.
        prior: float32 [8], ``Calibration.prior``.
        visible: the visible parts, at least one.

    Raises:
        ValueError: no part is visible, or an area of visible parts is missing.
    """
    shown = [part for part in PARTS if part in Area.of(visible).parts]
    values, answer = np.empty(1 << len(shown)), EMOTIONS.index(emotion)
    values[0] = np.log2(max(float(prior[answer]), 1e-12))
    for mask in range(1, len(values)):
        area = Area.of(part for bit, part in enumerate(shown) if mask >> bit & 1)
        if area not in probabilities:
            raise ValueError(f"photo_contribution: probabilities of {area.value} are missing")
        values[mask] = np.log2(max(float(probabilities[area][answer]), 1e-12))
    shares = shapley(values)
    bits = {part: float(share) for part, share in zip(shown, shares, strict=True)}
    return PhotoContribution(emotion, bits, float(2 ** values[0]), float(2 ** values[-1]))
