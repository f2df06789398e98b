"""The answer path asks for what is read, and for nothing else."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.analyze.analyzer import Analyzer
from mien.trust.models import Models
from mien.types import AREAS, PARTS, Area, UInt8


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Area, ...]]:
    """Areas of every call of the networks of areas."""
    calls: list[tuple[Area, ...]] = []
    real = Models.logits_of

    def recorded(self: Models, views: Any, *args: Any, **options: Any) -> Any:
        calls.append(tuple(views))
        return real(self, views, *args, **options)

    monkeypatch.setattr(Models, "logits_of", recorded)
    return calls


def test_areas_are_asked_about_when_they_are_read(photo: UInt8, asked: list[tuple[Area, ...]]) -> None:
    answer = Analyzer().analyze(photo)[0]

    assert answer.emotion is not None
    assert answer.p_correct is not None
    assert list(answer.predictions) == list(AREAS)
    assert not answer.hidden_areas
    assert set(answer.contributions) == set(PARTS)
    assert not asked

    assert sum(answer.contributions.values()) != 0
    answer.predictions[Area.MOUTH]
    answer.to_dict()
    assert asked == [tuple(area for area in AREAS if area is not Area.WHOLE_FACE)]


def test_an_answer_that_travels_is_complete(photo: UInt8) -> None:
    answers = Analyzer().analyze(photo)

    travelled = pickle.loads(pickle.dumps(answers))

    assert travelled.to_dict() == answers.to_dict()
    assert set(travelled[0].crops) == set(AREAS)


def test_several_areas_of_one_network_answer_as_each_alone(tiny_models: Path) -> None:
    generator = np.random.default_rng(0)
    for network in ("vgg", "anyarea", "resnet"):
        models = Models(tiny_models, network)
        views = {
            area: generator.integers(0, 255, (3, models.entry(area).spec.size, models.entry(area).spec.size), np.uint8)
            for area in models.areas
        }
        together = models.logits_of(views)
        for area, crops in views.items():
            np.testing.assert_allclose(together[area], models.logits(area, crops), atol=1e-5)
