from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from builders.data import votes
from mien.data import read
from mien.data.published import PUBLISHED_COUNTS
from mien.data.selection import carve_validation, held_out, select
from mien.types import EMOTIONS, N_EMOTIONS

HERE = Path(__file__).parent
FERPLUS = next(
    (p for p in (HERE / "../../shared/data/ferplus/ferplus.zip", Path("~/.cache/mien/data/ferplus").expanduser())
     if p.exists()),
    None,
)  # fmt: skip
needs_ferplus = pytest.mark.skipif(
    FERPLUS is None, reason="the real FER+ (../shared/data/ferplus/ferplus.zip) is absent"
)


def kept(**given_votes: int) -> str | None:
    chosen = select(np.array([votes(**given_votes)], np.int64))
    return EMOTIONS[int(chosen.label[0])].value if chosen.keep[0] else None


@pytest.mark.parametrize(
    ("counts", "label"),
    [
        ({"happiness": 10}, "happiness"),
        ({"neutral": 6, "sadness": 4}, "neutral"),  # two emotions reach 75%
        ({"neutral": 4, "sadness": 3, "anger": 3}, None),  # three are needed
        ({"neutral": 6, "sadness": 2, "anger": 2}, None),  # a tie is added as a whole
        ({"neutral": 7, "sadness": 1, "anger": 1, "fear": 1}, "neutral"),  # single votes count for nothing
        ({"unknown": 6, "neutral": 4}, None),  # stops at unknown
        ({"neutral": 5, "NF": 5}, None),  # tie with "not a face": exactly half is integrated
        ({"neutral": 6, "unknown": 4}, "neutral"),  # 60% is integrated, then unknown stops it
        ({"neutral": 1, "anger": 1}, None),  # nothing left
        ({}, None),
    ],
)
def test_published_rule(counts: dict[str, int], label: str | None) -> None:
    assert kept(**counts) == label


@given(arrays.arrays(np.int64, (7, 10), elements=st.integers(0, 10)))
def test_laws_of_the_selection(counts: np.ndarray) -> None:
    chosen = select(counts)
    cleaned = np.where(counts <= 1, 0, counts)
    assert np.allclose(chosen.votes.sum(axis=1), 1, atol=1e-5)
    assert ((chosen.label >= 0) == chosen.keep).all()
    for row, label in zip(cleaned[chosen.keep], chosen.label[chosen.keep], strict=True):
        assert row[label] == row[:N_EMOTIONS].max() > 0
    for row in cleaned[chosen.majority]:
        assert 2 * row[:N_EMOTIONS].max() > row.sum()


def test_select_says_what_shape_it_wants() -> None:
    with pytest.raises(ValueError, match=r"\[N, 10\], got \[3, 8\]"):
        select(np.zeros((3, 8), np.int64))


@given(arrays.arrays(np.int64, st.integers(0, 60), elements=st.integers(0, 7)), st.integers(0, 5))
def test_carved_validation_is_a_stratified_share(labels: np.ndarray, seed: int) -> None:
    chosen = carve_validation(labels, 0.1, seed)
    for label in np.unique(labels):
        assert chosen[labels == label].sum() == round(0.1 * (labels == label).sum())
    assert (chosen == carve_validation(labels, 0.1, seed)).all()


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 12)), max_size=60), st.floats(0.05, 0.6), st.integers(0, 5))
def test_held_out_keeps_groups_together_and_no_class_exceeds_its_share(
    faces: list[tuple[int, int]], fraction: float, seed: int
) -> None:
    labels = np.array([label for label, _ in faces], np.int64)
    groups = [f"photo{group}" for _, group in faces]
    chosen = held_out(labels, groups, fraction, seed)
    for group in set(groups):
        assert len({bool(c) for c, g in zip(chosen, groups, strict=True) if g == group}) == 1
    for label in np.unique(labels):
        assert chosen[labels == label].sum() <= fraction * (labels == label).sum() + 1e-6


def test_held_out_face_by_face_gives_the_papers_counts_for_expw() -> None:
    paper = PUBLISHED_COUNTS["expw"]
    totals = {e: paper["train"][e] + paper["test"][e] for e in paper["train"]}
    labels = np.concatenate([np.full(n, e.position, np.int64) for e, n in totals.items()])
    chosen = held_out(labels, None, 0.2, seed=0)
    found = {e: int(chosen[labels == e.position].sum()) for e in totals}
    assert found == paper["test"]


def test_held_out_depends_on_the_seed_only() -> None:
    labels = np.arange(100) % 4
    assert (held_out(labels, None, 0.2, 3) == held_out(labels, None, 0.2, 3)).all()
    assert (held_out(labels, None, 0.2, 3) != held_out(labels, None, 0.2, 4)).any()


@pytest.mark.ferplus
@needs_ferplus
def test_fer2013new_gives_the_published_totals_within_half_a_percent() -> None:
    assert FERPLUS is not None
    dataset = read("ferplus", FERPLUS, votes="fer2013new")
    table = dataset.comparison()
    assert table is not None
    totals = table[table["emotion"] == "total"].set_index("split")
    assert totals.loc["train", "found"] == 30_264  # 30,267 rows, of which three name a face a second time
    assert totals.loc["test", "found"] == 3_399
    assert (totals["percent"].abs() < 0.5).all()
    assert dataset.counts("majority").loc["test", "total"] == 3_153


@pytest.mark.ferplus
@needs_ferplus
def test_the_folders_own_labels_give_table_1_exactly() -> None:
    assert FERPLUS is not None
    dataset = read("ferplus", FERPLUS)
    table = dataset.comparison()
    assert table is not None
    assert (table["difference"] == 0).all()
    assert len(table) == 18
    assert dataset.counts("majority").loc["test", "total"] == 3_137  # as in Wang et al. 2020
