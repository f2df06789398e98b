import io
import json
import math
import threading
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import mien
from mien import Analyzer
from mien.analyze.analyzer import parts_of
from mien.analyze.answers import Answer, Answers
from mien.analyze.table import COLUMNS, table_of
from mien.analyze.words import WIDE, _percent, picture_html, picture_text
from mien.assets import SAMPLE
from mien.errors import ImageError, ModelError, UsageError
from mien.face import images
from mien.face.crops import crop_all
from mien.face.detect import detect
from mien.face.images import Limits, to_gray
from mien.trust.authenticity import softmax
from mien.trust.models import Models
from mien.types import AREAS, EMOTIONS, PARTS, Area, Emotion, Face, Part, UInt8


@pytest.fixture(scope="module")
def analyzer(tiny_models: Path) -> Analyzer:
    return Analyzer(tiny_models, coverage=0.9)


@pytest.fixture(scope="module")
def answers(analyzer: Analyzer, photo: UInt8) -> Answers:
    return analyzer.analyze(photo, heatmap=True, input="astronaut")


@pytest.fixture(scope="module")
def answer(answers: Answers) -> Answer:
    assert len(answers) == 1
    return answers[0]


def test_every_source_gives_the_same_answer(analyzer: Analyzer, photo: UInt8, answer: Answer) -> None:
    png = io.BytesIO()
    Image.fromarray(photo).save(png, "PNG")
    for source in (SAMPLE, str(SAMPLE), SAMPLE.read_bytes(), photo, Image.open(SAMPLE), io.BytesIO(png.getvalue())):
        other = analyzer.analyze(source)[0]
        np.testing.assert_array_equal(other.face.landmarks, answer.face.landmarks)
        np.testing.assert_array_equal(other.fused.logits, answer.fused.logits)


def test_input_names_the_picture(analyzer: Analyzer, photo: UInt8) -> None:
    assert analyzer.analyze(SAMPLE).input == str(SAMPLE)
    assert analyzer.analyze(photo).input == ""
    assert analyzer.analyze(SAMPLE, input="me").input == "me"


def test_predictions_are_the_networks_on_the_published_crops(answer: Answer, tiny_models: Path, photo: UInt8) -> None:
    models, gray = Models(tiny_models), to_gray(photo)
    assert list(answer.predictions) == list(AREAS)
    for crop in crop_all(gray, answer.face.landmarks):
        prediction = answer.predictions[crop.area]
        np.testing.assert_array_equal(answer.crops[crop.area].pixels, crop.pixels)
        np.testing.assert_array_equal(answer.crops[crop.area].box, crop.box)
        np.testing.assert_allclose(prediction.logits, models.logits(crop.area, crop.pixels[None])[0], atol=1e-5)
        assert prediction.emotion is EMOTIONS[int(prediction.logits.argmax())]
        assert prediction.probabilities.sum() == pytest.approx(1, abs=1e-5)
        assert prediction.authenticity is not None
        assert prediction.emotion in prediction.prediction_set


def test_fused_answer_uses_visible_areas_only(analyzer: Analyzer, photo: UInt8) -> None:
    for parts in ([Part.MOUTH], [Part.EYES, Part.NOSE], list(PARTS)):
        answer = analyzer.analyze(photo, area=parts)[0]
        assert answer.visibility.given
        assert answer.visibility.visible == frozenset(parts)
        assert answer.area is Area.of(parts)
        assert answer.fused is not None
        np.testing.assert_array_equal(answer.fused.logits, answer.predictions[Area.of(parts)].logits)
        assert answer.emotion is answer.fused.emotion
        assert set(answer.hidden_areas) == {a for a in AREAS if not a.parts <= frozenset(parts)}
        assert set(answer.contributions) == set(parts)


def test_contributions_sum_to_the_answers_bits(answer: Answer, analyzer: Analyzer) -> None:
    assert answer.fused is not None
    prior = analyzer.judge.calibration.prior[answer.fused.emotion.position]
    bits = math.log2(answer.fused.probabilities.max() / prior)
    assert sum(answer.contributions.values()) == pytest.approx(bits, abs=1e-4)


@pytest.mark.parametrize(
    ("choice", "parts"),
    [
        ("mouth", {Part.MOUTH}),
        (Area.NOSE_EYES, {Part.NOSE, Part.EYES}),
        ("nose and mouth", {Part.NOSE, Part.MOUTH}),
        ("Nose-Mouth", {Part.NOSE, Part.MOUTH}),
        (["eyes", Part.MOUTH], {Part.EYES, Part.MOUTH}),
        ("whole_face", set(PARTS)),
    ],
)
def test_area_can_be_said_in_many_ways(choice: str, parts: set[Part]) -> None:
    assert parts_of(choice) == parts


def test_area_that_is_none() -> None:
    with pytest.raises(UsageError, match="no area is called 'ear': choose from mouth"):
        parts_of("ear")
    with pytest.raises(UsageError, match="at least one"):
        parts_of([])


def test_given_faces_are_taken(analyzer: Analyzer, photo: UInt8, answer: Answer) -> None:
    face = Face(answer.face.box, answer.face.landmarks, "given", 0.0)
    twice = analyzer.analyze(photo, faces=[face, face])
    assert [a.face.detector for a in twice] == ["given", "given"]
    np.testing.assert_array_equal(twice[0].fused.logits, answer.fused.logits)


def test_no_face_gives_no_answer(analyzer: Analyzer) -> None:
    none = analyzer.analyze(np.zeros((100, 100), np.uint8), input="black.png", heatmap=True)
    assert len(none) == 0
    assert not none
    assert none.status == "no face"
    assert none.to_dict()["faces"] == []
    assert "no face found" in str(none)
    assert "no face found" in none._repr_html_()
    table = none.to_frame()
    assert table.loc[0, ["input", "status"]].tolist() == ["black.png", "no face"]
    assert table.drop(columns=["input", "status", "frame"]).isna().all(axis=None)


def test_one_pixel_is_no_face(analyzer: Analyzer) -> None:
    assert len(analyzer.analyze(np.zeros((1, 1, 3), np.uint8))) == 0


def test_heatmap_is_the_answers_class_map(answers: Answers, answer: Answer, tiny_models: Path, photo: UInt8) -> None:
    heat = answer.heatmap
    assert heat is not None
    assert heat.emotion is answer.fused.emotion
    crop = crop_all(to_gray(photo), answer.face.landmarks, areas=[Area.WHOLE_FACE])[0]
    _, maps, _ = Models(tiny_models).class_maps(crop.pixels[None])
    small = maps[0, heat.emotion.position]
    np.testing.assert_allclose(heat.values, cv2.resize(small, (64, 64)), atol=1e-5)
    np.testing.assert_array_equal(heat.box, crop.box)
    assert (heat.relative.min(), heat.relative.max()) == (0, pytest.approx(1))
    drawn = answers.overlaid()
    x0, y0, x1, y1 = np.clip(np.round(crop.box).astype(int), 0, 511)
    changed = (drawn != photo).any(axis=2)
    assert changed[y0:y1, x0:x1].mean() > 0.9
    changed[y0:y1, x0:x1] = False
    assert not changed.any()


def test_heatmap_only_where_asked(analyzer: Analyzer, photo: UInt8) -> None:
    assert analyzer.analyze(photo)[0].heatmap is None


def test_to_dict_is_plain_json(answers: Answers) -> None:
    values = json.loads(json.dumps(answers.to_dict(), allow_nan=False))
    assert (values["input"], values["status"], values["width"], values["height"]) == ("astronaut", "ok", 512, 512)
    face = values["faces"][0]
    assert face["face_id"] == 0
    assert set(face["areas"]) == {a.value for a in AREAS}
    assert set(face["fused"]["probabilities"]) == {e.value for e in EMOTIONS}
    assert np.shape(face["face"]["landmarks"]) == (68, 2)


def test_to_frame_has_the_documented_columns(answers: Answers, answer: Answer) -> None:
    table = answers.to_frame()
    assert list(table.columns) == list(COLUMNS)
    row = table.iloc[0]
    assert (row["input"], row["status"], row["face_id"], row["frame"]) == ("astronaut", "ok", 0, 0)
    assert row["emotion"] == answer.emotion.value
    assert row[[e.value for e in EMOTIONS]].sum() == pytest.approx(1, abs=1e-5)
    assert row["mouth_happiness"] == pytest.approx(float(answer.predictions[Area.MOUTH].probabilities[1]))
    assert row["x_8"] == pytest.approx(float(answer.face.landmarks[8, 0]))
    assert row["p_correct_low"] <= row["p_correct"] <= row["p_correct_high"]
    assert bool(row["visible_eyes"]) is True
    for name in ("face_x", "face_y", "face_width", "face_height", "face_score", "approx_time"):
        assert table[name].dtype == np.float64


def test_columns_are_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "output.md").read_text()
    for name in COLUMNS:
        if name.startswith(("x_", "y_")) or any(name.startswith(f"{area.value}_") for area in AREAS):
            continue
        assert f"`{name}`" in text, name


def test_tables_join_and_survive_parquet(answers: Answers, analyzer: Analyzer, tmp_path: Path) -> None:
    none = analyzer.analyze(np.zeros((100, 100), np.uint8), input="black")
    table = table_of(answers.to_rows() + none.to_rows())
    table.to_parquet(tmp_path / "t.parquet")
    again = pd.read_parquet(tmp_path / "t.parquet")
    assert again["status"].tolist() == ["ok", "no face"]
    assert again["face_id"].isna().tolist() == [False, True]


def test_uncalibrated_models_answer_and_say_so(untrusted_models: Path, photo: UInt8) -> None:
    answers = Analyzer(untrusted_models).analyze(photo, input="p")
    answer = answers[0]
    assert answer.fused.authenticity is None
    np.testing.assert_allclose(answer.fused.probabilities, softmax(answer.fused.logits[None])[0], atol=1e-6)
    assert answer.contributions == {}
    assert any("never calibrated" in note for note in answer.notes)
    assert "not calibrated" in str(answers)
    assert answers.to_frame()["p_correct"].isna().all()
    assert Analyzer(untrusted_models, min_p_correct=0.1).analyze(photo)[0].abstained
    with pytest.raises(ModelError, match="no visualisation network"):
        Analyzer(untrusted_models, heatmap=True).analyze(photo)


def test_calibration_of_other_networks_is_not_used(tiny_models: Path, tmp_path: Path, photo: UInt8) -> None:
    import shutil

    folder = Path(shutil.copytree(tiny_models, tmp_path / "m"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["networks"]["anyarea"]["nose"]["logit_bias"] = [1.0] * 8
    (folder / "manifest.json").write_text(json.dumps(manifest))
    answer = Analyzer(folder).analyze(photo)[0]
    assert answer.fused.authenticity is None
    assert any("other networks" in note for note in answer.notes)


def test_abstention(tiny_models: Path, photo: UInt8) -> None:
    sure = Analyzer(tiny_models, min_p_correct=0.01).analyze(photo)[0]
    unsure = Analyzer(tiny_models, min_p_correct=0.999).analyze(photo, input="p")
    assert not sure.abstained
    assert unsure[0].abstained
    assert unsure[0].emotion is None
    assert unsure[0].fused.emotion is sure.emotion
    assert "no answer" in str(unsure)
    assert unsure.to_frame()["emotion"].isna().all()


def test_notes_say_when_a_face_is_outside_what_was_measured(analyzer: Analyzer, photo: UInt8, answer: Answer) -> None:
    assert answer.notes == ()
    small = cv2.resize(photo, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA).astype(np.uint8)
    face = Face(answer.face.box * 0.2, (answer.face.landmarks * 0.2).astype(np.float32), "given", 0.0)
    notes = analyzer.analyze(small, faces=[face])[0].notes
    assert any("18 pixels" in note and "24" in note for note in notes)


def test_notes_say_when_a_face_leaves_the_picture(analyzer: Analyzer, photo: UInt8, answer: Answer) -> None:
    cut = np.ascontiguousarray(photo[:, 215:])
    landmarks = answer.face.landmarks - np.array([215, 0], np.float32)
    notes = analyzer.analyze(cut, faces=[Face(answer.face.box, landmarks, "given", 0.0)])[0].notes
    assert any("outside the picture" in note for note in notes)


def test_no_visible_part_gives_no_fused_answer(
    analyzer: Analyzer, photo: UInt8, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mien.types import Visibility

    nothing = Visibility(dict.fromkeys(PARTS, 0.1), frozenset())
    monkeypatch.setattr(analyzer.path, "_seen", lambda faces, count, visible, hidden: [nothing])
    blind = analyzer.analyze(photo, heatmap=True)
    assert (blind[0].fused, blind[0].emotion, blind[0].area, blind[0].heatmap) == (None, None, None, None)
    assert "no part of the face is visible" in str(blind)
    assert blind.to_frame()["area"].isna().all()
    assert blind.annotated().shape[2] == 3
    assert (blind.overlaid() == photo).all()
    json.dumps(blind.to_dict(), allow_nan=False)


def test_reconsider_equals_analysing_with_that_area(analyzer: Analyzer, photo: UInt8, answer: Answer) -> None:
    other, fresh = analyzer.reconsider(answer, "eyes"), analyzer.analyze(photo, area="eyes")[0]
    np.testing.assert_allclose(other.fused.probabilities, fresh.fused.probabilities, atol=1e-6)
    assert other.contributions == pytest.approx(fresh.contributions, abs=1e-4)
    assert other.visibility.visible == fresh.visibility.visible


def test_text_shows_every_area_and_fits_the_terminal(answers: Answers) -> None:
    for width in (80, WIDE):
        text = picture_text(answers, width)
        table = [line for line in text.splitlines() if line.startswith(("area", *(a.words for a in AREAS)))]
        assert len(table) >= 8
        assert max(len(line) for line in table) <= width
        assert all(area.words in text for area in AREAS)
    assert "astronaut: 512 x 512 pixels, 1 face" in text
    assert "happiness" in text


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.93, "93"), (0.9996, "99.9"), (0.996, "99.6"), (0.0004, "0.1"), (0.003, "0.3"), (0.0, "0"), (1.0, "100")],
)
def test_nothing_reads_as_certain_that_is_not(share: float, words: str) -> None:
    assert _percent(share) == words


def test_html_is_self_contained_and_escaped(analyzer: Analyzer, photo: UInt8) -> None:
    page = picture_html(analyzer.analyze(photo, input="<script>alert(1)</script>"))
    assert "<script>" not in page
    assert "http" not in page.replace("data:image/jpeg;base64,", "")
    assert page.count("<tr") == 8


def test_str_and_indexing(answers: Answers, answer: Answer) -> None:
    assert answers[0] is answer
    assert list(answers) == [answer]
    assert answers[:1] == (answer,)
    assert str(answer) in str(answers)
    assert repr(answer).startswith(f"<Answer {answer.emotion.value}: right ")
    assert repr(answers) == f"<Answers astronaut: [{answer!r}]>"


def test_annotated_picture_is_larger_and_different(answers: Answers) -> None:
    drawn = answers.annotated()
    assert drawn.dtype == np.uint8
    assert drawn.shape[0] >= 512
    assert drawn.shape[1] > drawn.shape[0]


def test_pictures_that_cannot_be_read_raise_image_errors(analyzer: Analyzer, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    for source in (tmp_path / "a.txt", tmp_path / "gone.png", b"", np.zeros((4, 4), np.int8)):
        with pytest.raises(ImageError):
            analyzer.analyze(source)
    with pytest.raises(ImageError, match="million"):
        Analyzer(analyzer.models, limits=Limits(pixels=100)).analyze(SAMPLE)


def test_wrong_arguments_are_usage_errors(tiny_models: Path, tmp_path: Path) -> None:
    for wrong in ({"detector": "yolo"}, {"coverage": 1.5}, {"min_p_correct": 2.0}, {"area": "chin"}):
        with pytest.raises(UsageError):
            Analyzer(tiny_models, **wrong)
    with pytest.raises(ModelError):
        Analyzer(tmp_path)
    with pytest.raises(ModelError, match="choose from"):
        Analyzer(tiny_models, network="lenet")


def test_networks_can_be_chosen(tiny_models: Path, photo: UInt8, answer: Answer) -> None:
    other = Analyzer(tiny_models, network="vgg").analyze(photo)
    assert other.models == "vgg tiny"
    assert not np.allclose(other[0].fused.logits, answer.fused.logits)


def test_one_analyzer_serves_many_threads(analyzer: Analyzer, photo: UInt8, answer: Answer) -> None:
    results: list[Answers] = []
    threads = [threading.Thread(target=lambda: results.append(analyzer.analyze(photo))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for found in results:
        np.testing.assert_array_equal(found[0].fused.logits, answer.fused.logits)


def test_analysing_changes_neither_picture_nor_result(analyzer: Analyzer, photo: UInt8) -> None:
    before = photo.copy()
    first, second = (analyzer.analyze(photo).to_dict()["faces"] for _ in range(2))
    assert (photo == before).all()
    assert first == second


def test_bgr_arrays_differ_from_rgb(analyzer: Analyzer, photo: UInt8) -> None:
    """Arrays are RGB: OpenCV's order gives another grey and so other logits; the docs say so."""
    answer = analyzer.analyze(photo)[0]
    (turned,) = analyzer.analyze(photo[..., ::-1], faces=[answer.face])
    assert answer.fused is not None
    assert turned.fused is not None
    assert not np.array_equal(turned.fused.logits, answer.fused.logits)


def test_package_names_are_lazy_and_listed() -> None:
    assert set(mien.__all__) <= set(dir(mien))
    assert mien.Answer is Answer
    assert mien.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mien.nothing  # noqa: B018
    assert images.load(SAMPLE).shape == (512, 512, 3)
    assert len(detect(to_gray(images.load(SAMPLE)))) == 1


@pytest.fixture(scope="module")
def shipped() -> Analyzer:
    return Analyzer()


def test_the_sample_smiles(shipped: Analyzer) -> None:
    """The published photo, with the packaged networks: happiness, and all three parts visible."""
    answers = shipped.analyze(SAMPLE)
    assert len(answers) == 1
    assert answers[0].emotion is Emotion.HAPPINESS
    assert answers[0].predictions[Area.WHOLE_FACE].emotion is Emotion.HAPPINESS
    assert answers[0].predictions[Area.MOUTH].emotion is Emotion.HAPPINESS
    assert answers[0].visibility.visible == frozenset(PARTS)


@pytest.mark.parametrize("side", [24, 32, 48, 96, 192, 512])
def test_the_sample_smiles_at_every_size(shipped: Analyzer, photo: UInt8, side: int) -> None:
    """The face enlarged or reduced until the close crop around it measures ``side`` pixels."""
    x0, y0, x1, y1 = 160, 60, 286, 186
    method = cv2.INTER_AREA if side < 126 else cv2.INTER_CUBIC
    crop = cv2.resize(photo[y0:y1, x0:x1], (side, side), interpolation=method).astype(np.uint8)
    answers = shipped.analyze(crop, whole_picture=side < 32)  # smaller than the smallest face that is looked for
    assert [a.emotion for a in answers] == [Emotion.HAPPINESS]


@pytest.mark.parametrize("name", ["gray", "dark", "jpeg", "mirrored", "turned", "wide"])
def test_the_sample_smiles_under_disturbances(shipped: Analyzer, photo: UInt8, name: str) -> None:
    turn = cv2.getRotationMatrix2D((223, 130), 15, 1)
    _, coded = cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 30])
    disturbed = {
        "gray": to_gray(photo),
        "dark": (photo // 2).astype(np.uint8),
        "jpeg": coded.tobytes(),
        "mirrored": np.ascontiguousarray(photo[:, ::-1]),
        "turned": cv2.warpAffine(photo, turn, (512, 512)),
        "wide": cv2.copyMakeBorder(photo, 0, 0, 400, 400, cv2.BORDER_CONSTANT),
    }[name]
    answers = shipped.analyze(disturbed)
    assert [a.emotion for a in answers] == [Emotion.HAPPINESS]


def test_a_covered_mouth_is_found_and_left_out(shipped: Analyzer, photo: UInt8) -> None:
    """A plain surgical mask drawn over the sample."""
    face = shipped.analyze(photo)[0].face
    masked = photo.copy()
    outline = np.concatenate([face.landmarks[2:15], face.landmarks[[28]]])
    cv2.fillPoly(masked, [np.round(outline).astype(np.int32)], (190, 215, 235))
    answer = shipped.analyze(masked, faces=[face])[0]
    assert Part.MOUTH not in answer.visibility.visible
    assert Part.EYES in answer.visibility.visible
    assert answer.fused is not None
    assert Part.MOUTH not in answer.contributions


def test_every_shipped_answer_is_calibrated(shipped: Analyzer) -> None:
    answer = shipped.analyze(SAMPLE)[0]
    assert answer.fused is not None
    assert answer.fused.authenticity is not None
    assert all(p.authenticity is not None for p in answer.predictions.values())
    assert answer.notes == ()
