"""Answers to covered faces, kept by what was found hidden."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from builders.faces import make_cache
from mien.data.cache import FaceCache
from mien.measure.covered import TARGETS, hidden_answers
from mien.trust.answer import AnswerPath

SOURCES = ("", "hidden_mouth", "whole_face")
"""What a face may come back with; nothing where nothing of it is visible."""


class EveryThird:
    """Says of every third face that nothing, the rest of it but the mouth, or all of it is visible."""

    def look(self, faces: Any, areas: Sequence[Any]) -> SimpleNamespace:
        count = len(faces.canvases)
        return SimpleNamespace(logits=np.eye(8, dtype=np.float32)[np.arange(count) % 8],
                               sources=[SOURCES[i % 3] for i in range(count)])  # fmt: skip


def test_only_answers_with_something_hidden_are_kept(tmp_path: Path) -> None:
    cache, lines = FaceCache.open(make_cache(tmp_path / "cache", 60)), list[str]()
    rows = cache.rows("validation", "any")
    found = hidden_answers(cache, cast(AnswerPath, EveryThird()), "validation", lines.append)
    assert set(found) == {"hidden_mouth"}
    own = rows[np.arange(len(rows)) % 3 == 1]
    answers = found["hidden_mouth"]
    np.testing.assert_array_equal(answers.faces, np.tile(own, len(TARGETS) + 1))
    np.testing.assert_array_equal(answers.labels, cache.labels[answers.faces])
    assert answers.logits.shape == (len(answers.faces), 8)
    assert len(lines) == len(TARGETS) + 1
