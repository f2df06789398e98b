"""Which network answers for a single area is what was measured on validation."""

from __future__ import annotations

import json
from pathlib import Path

from mien.trust.models import shipped_models
from mien.types import AREAS, Area

RESULT = Path(__file__).parents[2] / "docs" / "results" / "models" / "best_of_areas.json"


def test_each_area_is_answered_by_the_network_that_was_better() -> None:
    measured = json.loads(RESULT.read_text())["areas"]
    assert set(measured) == {area.value for area in AREAS}
    models, vggs = shipped_models(), shipped_models().manifest.networks["vgg"]
    for area in AREAS:
        row = measured[area.value]
        by_vgg = row["gain"][1] > 0 and area is not Area.WHOLE_FACE
        assert row["taken"] == ("vgg" if by_vgg else "resnet")
        assert (models.entry(area).sha256 == vggs[area].sha256) == by_vgg
