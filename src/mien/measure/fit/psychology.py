"""What psychology measured in people, beside what the networks show: agree, disagree or undecided, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mien.measure.fit.games import Games, difference
from mien.types import Emotion, Interval, Part


@dataclass(frozen=True)
class Claim:
    """One finding: this part matters more for this emotion than those.

    Attributes:
        study: who, when, where.
        finding: in the study's sense.
        emotion: whose recognition.
        part: said to matter most.
        rivals: the parts it is said to beat.
    """

    study: str
    finding: str
    emotion: Emotion
    part: Part
    rivals: tuple[Part, ...]


_WEGRZYN = "Wegrzyn et al. 2017, PLOS ONE 12(5) e0177239 (tiles uncovered one by one)"

_SMITH = "Smith et al. 2005, Psychological Science 16(3) (bubbles)"

_KDEF = "Calvo et al. 2018, Scientific Reports 8:17039, PMC6242984 (gaze, KDEF-dyn)"

_ALL_BUT = {part: tuple(other for other in Part if other is not part) for part in Part}

CLAIMS: tuple[Claim, ...] = (
    Claim(_WEGRZYN, "sadness relies on the eyes", Emotion.SADNESS, Part.EYES, (Part.MOUTH,)),
    Claim(_WEGRZYN, "fear relies on the eyes", Emotion.FEAR, Part.EYES, (Part.MOUTH,)),
    Claim(_WEGRZYN, "happiness relies on the mouth", Emotion.HAPPINESS, Part.MOUTH, (Part.EYES,)),
    Claim(_WEGRZYN, "disgust relies on the mouth", Emotion.DISGUST, Part.MOUTH, (Part.EYES,)),
    Claim(_SMITH, "the eyes are diagnostic of fear", Emotion.FEAR, Part.EYES, (Part.MOUTH,)),
    Claim(_SMITH, "the mouth is diagnostic of happiness", Emotion.HAPPINESS, Part.MOUTH, (Part.EYES,)),
    Claim(_KDEF, "gaze goes to the eyes of anger", Emotion.ANGER, Part.EYES, _ALL_BUT[Part.EYES]),
    Claim(_KDEF, "gaze goes to the eyes of sadness", Emotion.SADNESS, Part.EYES, _ALL_BUT[Part.EYES]),
    Claim(_KDEF, "gaze goes to the mouth of happiness", Emotion.HAPPINESS, Part.MOUTH, _ALL_BUT[Part.MOUTH]),
    Claim(_KDEF, "gaze goes to nose and cheeks of disgust", Emotion.DISGUST, Part.NOSE, _ALL_BUT[Part.NOSE]),
)  # fmt: skip


def verdict(differences: list[Interval]) -> str:
    """``agree``: every difference is above 0; ``disagree``: one is below; else ``undecided`` (95% intervals)."""
    if any(d.high < 0 for d in differences):
        return "disagree"
    return "agree" if all(d.low > 0 for d in differences) else "undecided"


def compare(games: Games) -> pd.DataFrame:
    """Every claim against the measured contributions.

    Returns:
        Columns study, finding, emotion, part, rival, game, unit, difference, low, high, n, verdict: one row a claim and
        game (information, then recall); where there are several rivals, the difference to the strongest. Claims about
        emotions of which the data hold no face are left out.
    """
    rows = []
    for claim in CLAIMS:
        for game, unit in (("information", "bits"), ("recall", "share")):
            if (game, claim.emotion.value) not in games.names:
                continue
            gaps = [difference(games, game, claim.emotion.value, claim.part, rival) for rival in claim.rivals]
            at = min(range(len(gaps)), key=lambda i: gaps[i].value)
            gap, rival = gaps[at], claim.rivals[at]
            rows.append((
                claim.study, claim.finding, claim.emotion.value, claim.part.value, rival.value, game, unit,
                gap.value, gap.low, gap.high, gap.n, verdict(gaps),
            ))  # fmt: skip
    columns = ["study", "finding", "emotion", "part", "rival", "game", "unit", "difference", "low", "high", "n"]
    return pd.DataFrame(rows, columns=[*columns, "verdict"])
