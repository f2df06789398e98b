import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.trust import PRIOR, simulate
from mien.errors import TableError
from mien.measure.fit.games import contribution_table, difference, interaction_table, play, value_table
from mien.measure.fit.psychology import CLAIMS, compare, verdict
from mien.trust.authenticity import softmax
from mien.trust.contribution import photo_contribution
from mien.types import AREAS, EMOTIONS, PARTS, Area, Emotion, Interval, Part

SHARES = (PRIOR / PRIOR.sum()).astype(np.float32)


def measure(p, labels, shares, draws: int = 300):
    return play({a: q.argmax(axis=1) for a, q in p.items()}, p, labels, shares, draws)


@pytest.fixture(scope="module")
def games():
    logits, labels = simulate(1500, seed=3, sharpness=1.0)
    return measure({a: softmax(z).astype(np.float32) for a, z in logits.items()}, labels, SHARES, draws=300)


def test_parts_sum_to_the_whole_face_minus_no_part(games) -> None:
    values = value_table(games).set_index(["game", "emotion", "area"])["value"]
    sums = contribution_table(games).groupby(["game", "emotion"])["value"].sum()
    for key, total in sums.items():
        assert total == pytest.approx(values[(*key, "whole_face")] - values[(*key, "none")], abs=1e-12)


def test_games_are_what_their_names_say() -> None:
    logits, labels = simulate(800, seed=4, sharpness=1.0)
    p = {a: softmax(z).astype(np.float32) for a, z in logits.items()}
    table = value_table(measure(p, labels, SHARES, draws=20)).set_index(["game", "emotion", "area"])["value"]
    said = p[Area.MOUTH].argmax(axis=1)
    assert table["accuracy", "all", "mouth"] == pytest.approx((said == labels).mean())
    assert table["recall", "happiness", "mouth"] == pytest.approx((said[labels == 1] == 1).mean())
    own = p[Area.NOSE_EYES][np.arange(len(labels)), labels]
    assert table["information", "all", "nose_eyes"] == pytest.approx(np.log2(own / SHARES[labels]).mean(), rel=1e-5)
    of_anger = np.log2(own / SHARES[labels])[labels == 4].mean()
    assert table["information", "anger", "nose_eyes"] == pytest.approx(of_anger, rel=1e-5)
    assert table["accuracy", "all", "none"] == pytest.approx(SHARES.max())
    assert table["recall", "sadness", "none"] == pytest.approx(SHARES[3])
    assert table["macro_recall", "all", "none"] == pytest.approx(1 / 8)
    assert table["information", "all", "none"] == 0


def test_macro_recall_is_the_mean_of_the_recall_games(games) -> None:
    table = contribution_table(games).set_index(["game", "emotion", "part"])["value"]
    for part in PARTS:
        mean = np.mean([table["recall", e.value, part.value] for e in EMOTIONS])
        assert table["macro_recall", "all", part.value] == pytest.approx(mean, abs=2e-3)


def test_the_stronger_part_contributes_more_and_intervals_hold_the_value(games) -> None:
    table = contribution_table(games)
    shares = table[table["game"] == "information"].set_index(["emotion", "part"])["value"]
    assert shares["all", "mouth"] > shares["all", "eyes"] > shares["all", "nose"] > 0
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()
    assert difference(games, "information", "all", Part.MOUTH, Part.NOSE).low > 0
    assert len(interaction_table(games)) == len(table)


def test_bootstrap_intervals_cover_the_truth() -> None:
    logits, labels = simulate(60_000, seed=5, sharpness=1.0)
    p = {a: softmax(z).astype(np.float32) for a, z in logits.items()}
    truth = contribution_table(measure(p, labels, SHARES, draws=2))
    truth = truth[truth["game"].isin(["accuracy", "information"]) & (truth["emotion"] == "all")]["value"].to_numpy()
    held = []
    for seed in range(40):
        rows = np.random.default_rng(seed).choice(len(labels), 600, replace=False)
        table = contribution_table(measure({a: q[rows] for a, q in p.items()}, labels[rows], SHARES, draws=300))
        table = table[table["game"].isin(["accuracy", "information"]) & (table["emotion"] == "all")]
        held.append((table["low"].to_numpy() <= truth) & (truth <= table["high"].to_numpy()))
    assert 0.90 <= np.mean(held) <= 0.985


def test_a_missing_area_and_a_wrong_shape_are_named() -> None:
    logits, labels = simulate(50)
    p = {a: softmax(z).astype(np.float32) for a, z in logits.items()}
    with pytest.raises(TableError, match="nose_eyes"):
        measure({a: q for a, q in p.items() if a is not Area.NOSE_EYES}, labels, SHARES)
    with pytest.raises(TableError, match=r"expected \[50, 8\]"):
        measure(p | {Area.MOUTH: p[Area.MOUTH][:10]}, labels, SHARES)


def test_an_emotion_without_faces_is_left_out() -> None:
    logits, labels = simulate(400)
    kept = labels != 7
    p = {a: softmax(z[kept]).astype(np.float32) for a, z in logits.items()}
    table = contribution_table(measure(p, labels[kept], SHARES, draws=50))
    assert "contempt" not in set(table["emotion"])
    assert np.isfinite(table[["value", "low", "high"]].to_numpy()).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sets(st.sampled_from(list(Part)), min_size=1), st.sampled_from(list(Emotion)))
def test_a_photo_s_bits_sum_to_what_the_reader_sees(seed: int, visible: set[Part], emotion: Emotion) -> None:
    generator = np.random.default_rng(seed)
    p = {a: generator.dirichlet(np.ones(8)).astype(np.float32) for a in AREAS}
    found = photo_contribution(p, emotion, SHARES, visible)
    assert set(found.bits) == visible
    assert sum(found.bits.values()) == pytest.approx(np.log2(found.probability / found.prior), abs=1e-6)
    assert found.probability == pytest.approx(float(p[Area.of(visible)][emotion.position]), rel=1e-5)


def test_photo_contribution_names_what_is_missing_and_speaks_plainly() -> None:
    p = {a: np.full(8, 1 / 8, np.float32) for a in AREAS}
    p[Area.MOUTH] = np.array([0.05, 0.65, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05], np.float32)
    with pytest.raises(ValueError, match="nose_mouth"):
        photo_contribution(
            {Area.MOUTH: p[Area.MOUTH], Area.NOSE: p[Area.NOSE]}, Emotion.FEAR, SHARES, (Part.MOUTH, Part.NOSE)
        )
    words = photo_contribution(p, Emotion.HAPPINESS, SHARES).in_words()
    assert words.startswith("happiness: mouth for (+")
    assert "against (-" in words


def test_verdicts() -> None:
    above, below, across = Interval(1, 0.5, 2, 9), Interval(-1, -2, -0.5, 9), Interval(0.1, -1, 1, 9)
    assert verdict([above, above]) == "agree"
    assert verdict([above, below]) == "disagree"
    assert verdict([above, across]) == "undecided"


def test_psychology_has_a_row_a_claim_and_game(games) -> None:
    table = compare(games)
    assert len(table) == 2 * len(CLAIMS)
    assert set(table["verdict"]) <= {"agree", "disagree", "undecided"}
    mouth = table[(table["emotion"] == "happiness") & (table["game"] == "information")]
    assert (mouth["verdict"] == "agree").all()  # the simulation's mouth is by far the strongest part
