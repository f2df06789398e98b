"""What is computed once for one data set and used by several sections of the report."""

from __future__ import annotations

from dataclasses import dataclass

from mien.study.report.attention import Attention, attention_of
from mien.study.report.findings import Claim, claims_of
from mien.study.report.inputs import Evidence, Setting
from mien.study.report.resample import AreaArms, CropArms, confusions_of
from mien.types import AREAS, Area


@dataclass(frozen=True, eq=False)
class Measured:
    """Measures of one data set.

    Attributes:
        evidence: what they are made from.
        areas: the area networks on the published selection; None where none is trained.
        majority: the same on the majority selection; None where the data have no votes.
        crops: the comparison of crops.
        attention: of the visualisation network.
        claims: of the five findings.
    """

    evidence: Evidence
    areas: AreaArms | None
    majority: AreaArms | None
    crops: CropArms | None
    attention: Attention | None
    claims: list[Claim]

    @classmethod
    def of(cls, evidence: Evidence, setting: Setting) -> Measured:
        """Compute them."""
        areas, attention = area_arms(evidence, setting.best_run), attention_of(evidence)
        votes = not evidence.faces["majority"].all()
        majority = area_arms(evidence, setting.best_run, "majority") if votes else None
        crops = crop_arms(evidence, setting.best_run)
        return cls(evidence, areas, majority, crops, attention, claims_of(areas, attention))


def area_arms(evidence: Evidence, best_run: bool, selection: str = "published") -> AreaArms | None:
    """The area networks, one arm an area; None where none is trained."""
    table = evidence.role("areas", selection=selection)
    arms = [(area, table[table["area"] == area.value]) for area in AREAS]
    arms = [(area, rows) for area, rows in arms if len(rows)]
    return confusions_of(arms, best_run) if arms else None


def crop_arms(evidence: Evidence, best_run: bool) -> CropArms | None:
    """The comparison of crops, one arm an area and crop spec; None where none is trained."""
    table = evidence.role("crops")
    if not len(table):
        return None
    grouped = table.groupby(["area", "trained_spec"], sort=False)
    return confusions_of([((Area(str(a)), str(s)), rows) for (a, s), rows in grouped], best_run)
