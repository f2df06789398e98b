import json

import numpy as np
import pytest

from builders.trust import simulate
from mien.errors import ModelError
from mien.measure.fit.fusion import FUSABLE, cross_fit, fit_fusion, fit_partial, fit_rule
from mien.measure.metrics import log_loss
from mien.trust.authenticity import softmax
from mien.trust.fitted import write_fitted
from mien.trust.fusion import (
    FILE_NAME,
    LARGEST,
    RULES,
    Fusion,
    FusionRule,
    areas_within,
    blanked_within,
    fuse,
    views_within,
)
from mien.trust.sources import Source
from mien.types import AREAS, N_EMOTIONS, Area, Part

EYE = np.eye(N_EMOTIONS)
SUBSETS = [frozenset(p for i, p in enumerate(Part) if m >> i & 1) for m in range(1, 8)]


def rule_for(rule: str, target: Area, logits, labels) -> FusionRule:
    views = {area.value: logits[area] for area in areas_within(target.parts)}
    return fit_rule(rule, target.value, views, labels)


@pytest.fixture(scope="module")
def faces():
    return simulate(500, seed=1)


@pytest.mark.parametrize("visible", SUBSETS, ids=lambda v: "+".join(sorted(v)))
def test_every_visible_subset_gets_an_answer(visible: frozenset[Part], faces) -> None:
    logits, labels = faces
    for rule in RULES:
        target = Area.of(visible)
        fusion = Fusion({target: rule_for(rule, target, logits, labels)})
        fused = fuse({a: z[:5] for a, z in logits.items()}, visible, fusion)
        assert fused.area is target
        assert fused.logits.shape == (5, N_EMOTIONS)
        assert fused.logits.dtype == np.float32
        assert np.isfinite(fused.logits).all()


def test_hidden_areas_have_no_say(faces) -> None:
    logits, labels = faces
    fusion = Fusion({a: rule_for("stacking", a, logits, labels) for a in FUSABLE})
    changed = {a: z if a.parts <= {Part.EYES, Part.NOSE} else z + 100 for a, z in logits.items()}
    visible = {Part.EYES, Part.NOSE}
    np.testing.assert_array_equal(fuse(logits, visible, fusion).logits, fuse(changed, visible, fusion).logits)


def test_largest_is_the_area_itself_and_is_calibrated_as_it(faces) -> None:
    logits, _ = faces
    fused = fuse(logits, {Part.MOUTH, Part.EYES}, LARGEST)
    assert fused.source == "mouth_eyes"
    np.testing.assert_array_equal(fused.logits, logits[Area.MOUTH_EYES])


def test_without_all_its_areas_a_rule_gives_way_to_the_largest_area_there_is(faces) -> None:
    logits, labels = faces
    fusion = Fusion({Area.WHOLE_FACE: rule_for("product", Area.WHOLE_FACE, logits, labels)})
    assert fuse(logits, set(Part), fusion).rule == "product"
    fewer = {a: z for a, z in logits.items() if a is not Area.MOUTH}
    fused = fuse(fewer, set(Part), fusion)
    assert (fused.area, fused.source, fused.rule) == (Area.WHOLE_FACE, "whole_face", "largest")
    only = fuse({Area.MOUTH: logits[Area.MOUTH], Area.NOSE_MOUTH: logits[Area.NOSE_MOUTH]}, set(Part), fusion)
    assert only.area is Area.NOSE_MOUTH


def test_nothing_visible_is_refused(faces) -> None:
    logits, _ = faces
    with pytest.raises(ValueError, match="at least one"):
        fuse(logits, set())
    with pytest.raises(ValueError, match="no logits of an area within mouth"):
        fuse({Area.EYES: logits[Area.EYES]}, {Part.MOUTH})


def test_areas_within() -> None:
    assert areas_within({Part.MOUTH, Part.NOSE}) == (Area.MOUTH, Area.NOSE, Area.NOSE_MOUTH)
    assert areas_within(set(Part)) == AREAS


def test_weighted_and_stacking_beat_their_parts_on_the_faces_they_were_fitted_on(faces) -> None:
    logits, labels = faces
    best = min(log_loss(labels, softmax(z)) for z in logits.values())
    losses = {
        rule: log_loss(labels, softmax(rule_for(rule, Area.WHOLE_FACE, logits, labels).apply(logits)))
        for rule in ("weighted", "stacking")
    }
    assert losses["stacking"] < losses["weighted"] < best


def test_cross_fitting_keeps_each_row_out_of_its_own_fit(faces) -> None:
    logits, labels = faces
    held_out = cross_fit("stacking", "whole_face", logits, labels)
    own = rule_for("stacking", Area.WHOLE_FACE, logits, labels).apply(logits)
    assert log_loss(labels, softmax(held_out)) > log_loss(labels, softmax(own))
    noise = {
        a: np.random.default_rng(i).normal(size=z.shape).astype(np.float32) for i, (a, z) in enumerate(logits.items())
    }
    blind = cross_fit("stacking", "whole_face", noise, labels)
    assert (blind.argmax(axis=1) == labels).mean() < (labels == 0).mean() + 0.03


def test_the_chosen_rule_has_the_lowest_log_loss_and_costs_no_accuracy(faces) -> None:
    logits, labels = faces
    fit = fit_fusion(logits, labels)
    assert set(fit.fusion.rules) == set(FUSABLE)
    for area in FUSABLE:
        rows = [s for s in fit.scores if s.visible is area]
        assert {s.rule for s in rows} == set(RULES)
        (chosen,) = [s for s in rows if s.chosen]
        plain = {s.rule: s for s in rows}
        able = [s for s in plain.values() if s.accuracy >= plain["largest"].accuracy]
        assert plain[chosen.rule].log_loss == pytest.approx(min(s.log_loss for s in able))
        assert chosen.accuracy >= plain["largest"].accuracy
        assert fit.fusion.rules[area].rule == chosen.rule
        assert chosen.gain_low <= chosen.gain <= chosen.gain_high


def test_areas_that_are_missing_leave_their_sets_out(faces) -> None:
    logits, labels = faces
    fit = fit_fusion({a: logits[a] for a in (Area.MOUTH, Area.NOSE, Area.NOSE_MOUTH)}, labels)
    assert set(fit.fusion.rules) == {Area.NOSE_MOUTH}


def test_a_fusion_survives_its_file(tmp_path, faces) -> None:
    logits, labels = faces
    fusion = Fusion(
        {a: rule_for("stacking" if a is Area.WHOLE_FACE else "weighted", a, logits, labels) for a in FUSABLE}
    )
    write_fitted(tmp_path / FILE_NAME, "vgg", {"vgg": fusion.to_dict()})
    read = Fusion.load(tmp_path)
    for area in FUSABLE:
        expected = fuse(logits, area.parts, fusion).logits
        np.testing.assert_allclose(fuse(logits, area.parts, read).logits, expected, atol=1e-4)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format": 99}', '{"format": 1, "networks": {"vgg": {"rules": {"ear": 1}}}, "default": "vgg"}'],
)
def test_damaged_files_are_one_sentence(tmp_path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(ModelError, match=r"mien calibrate|damaged"):
        Fusion.load(tmp_path)


def test_an_unknown_network_and_a_missing_file_are_one_sentence(tmp_path) -> None:
    with pytest.raises(ModelError, match="does not exist: make it with"):
        Fusion.load(tmp_path)
    write_fitted(tmp_path / FILE_NAME, "vgg", {"vgg": LARGEST.to_dict()})
    with pytest.raises(ModelError, match="anyarea"):
        Fusion.load(tmp_path, "anyarea")


def test_a_multiple_of_the_identity_is_written_as_a_number() -> None:
    rule = FusionRule("weighted", {"mouth": 0.5 * EYE, "nose": EYE + 0.1}, np.zeros(8))
    written = json.loads(json.dumps(rule.to_dict()))
    assert written["matrices"]["mouth"] == 0.5
    assert np.shape(written["matrices"]["nose"]) == (8, 8)
    assert np.array_equal(FusionRule.from_dict(written).matrices["nose"], EYE + 0.1)


def test_views_of_a_face_with_something_in_front_of_it() -> None:
    assert blanked_within({Part.EYES, Part.MOUTH}) == (Area.MOUTH_EYES, Area.WHOLE_FACE)
    assert blanked_within({Part.EYES, Part.NOSE}) == (Area.WHOLE_FACE,)
    assert blanked_within(set(Part)) == blanked_within({Part.NOSE}) == ()
    assert views_within({Part.EYES, Part.MOUTH}, blanked=True) == (
        "mouth",
        "eyes",
        "blanked_mouth_eyes",
        "blanked_whole_face",
    )
    assert views_within({Part.EYES, Part.MOUTH}) == ("mouth", "eyes", "mouth_eyes")


def test_partial_rules_apply_only_where_blanked_crops_are_given(faces) -> None:
    logits, labels = faces
    visible = {Part.NOSE, Part.MOUTH}
    views = {a.value: logits[a] for a in areas_within(visible)} | {
        Source.of("blanked", Area.WHOLE_FACE): logits[Area.WHOLE_FACE]
    }
    fit = fit_partial({Area.NOSE_MOUTH: (views, labels)})
    assert set(fit.fusion.partial) == {Area.NOSE_MOUTH}
    assert all(s.blanked for s in fit.scores)
    blanked = {Area.WHOLE_FACE: logits[Area.WHOLE_FACE]}
    assert fuse(logits, visible, fit.fusion, blanked).source == "partial_nose_mouth"
    assert fuse(logits, visible, fit.fusion).source == "nose_mouth"
    assert fuse(logits, visible, LARGEST, blanked).source == "nose_mouth"
    assert (
        Fusion.from_dict(fit.fusion.to_dict()).partial[Area.NOSE_MOUTH].rule == fit.fusion.partial[Area.NOSE_MOUTH].rule
    )
