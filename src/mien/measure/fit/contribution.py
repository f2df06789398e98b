"""What each part contributes, measured on labelled faces."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mien.measure.fit import games as contribution
from mien.measure.fit import psychology
from mien.measure.predictions import by_area
from mien.trust.authenticity import Calibration


@dataclass(frozen=True, eq=False)
class ContributionCheck:
    """Contribution of the parts, measured on one split.

    Attributes:
        contributions: the ContributionTable.
        interactions: pairwise.
        values: of every coalition.
        psychology: beside what was measured in people.
    """

    contributions: pd.DataFrame
    interactions: pd.DataFrame
    values: pd.DataFrame
    psychology: pd.DataFrame


def measure_contribution(calibration: Calibration, table: pd.DataFrame, draws: int = 2000) -> ContributionCheck:
    """Play every game on a PredictionTable.

    Raises:
        TableError: one of the seven areas is missing.
    """
    logits, labels = by_area(table)
    known = {area: z for area, z in logits.items() if area.value in calibration.sources}
    answers = {area: z.argmax(axis=1) for area, z in known.items()}
    informative = {area: calibration.source(area).informative(z) for area, z in known.items()}
    games = contribution.play(answers, informative, labels, calibration.prior, draws)
    return ContributionCheck(
        contribution.contribution_table(games), contribution.interaction_table(games),
        contribution.value_table(games), psychology.compare(games),
    )  # fmt: skip
