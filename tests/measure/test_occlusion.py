import json

import numpy as np
import pandas as pd
import pytest

from builders.faces import make_cache
from mien.cli import main
from mien.data.cache import FaceCache
from mien.errors import TableError
from mien.face.aligned import aligned
from mien.face.areas import PIECES
from mien.face.crops import cut
from mien.face.spec import CropSpec
from mien.measure.covered import HIDDEN, cover, occluded_views, truly_visible, view_logits
from mien.measure.occluders import KINDS_FOR, TRAINING_KINDS
from mien.measure.occlusion import Measured, detection, measure, summary
from mien.measure.predictions import by_area, cached_predict
from mien.trust.answer import AnswerPath, PreparedFaces
from mien.trust.authenticity import Calibration
from mien.trust.fusion import areas_within, blanked_within, views_within
from mien.trust.models import Models, with_bias
from mien.trust.sources import Source
from mien.types import AREAS, EMOTIONS, PARTS, Area, Part

Setup = tuple[AnswerPath, Calibration]
SPECS = dict.fromkeys(AREAS, CropSpec())


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> FaceCache:
    return FaceCache.open(make_cache(tmp_path_factory.mktemp("faces"), faces=360))


@pytest.fixture(scope="module")
def models(tiny_models) -> Models:
    return Models(tiny_models, "vgg", threads=1)


@pytest.fixture(scope="module")
def setup(tiny_models, models) -> Setup:
    return AnswerPath.of(models), Calibration.load(tiny_models, "vgg")


def test_hidden_parts_are_blanked_in_every_crop_that_would_show_them(cache: FaceCache) -> None:
    canvas = cache.canvas(0)
    for area in AREAS:
        for part in Part:
            plain, blanked = cut(canvas, area), cut(canvas, area, hidden={part})
            kept = blanked > 0
            np.testing.assert_array_equal(plain[kept], blanked[kept])
            if part in area.parts:
                assert (plain[~kept] > 0).sum() > 10
    assert (cut(canvas, Area.MOUTH_EYES, hidden={Part.NOSE}) == 0).sum() > (cut(canvas, Area.MOUTH_EYES) == 0).sum()


@pytest.mark.parametrize("part", list(Part))
def test_the_part_is_covered_by_each_kind_in_turn(cache: FaceCache, part: Part) -> None:
    rows = cache.rows("test")[:20]
    faces = cover(cache, rows, part, KINDS_FOR[part])
    assert [f.kind for f in faces] == [KINDS_FOR[part][i % len(KINDS_FOR[part])] for i in range(20)]
    assert np.mean([f.share(part) > HIDDEN for f in faces]) > 0.9
    assert all(part not in truly_visible(f) for f in faces if f.share(part) > HIDDEN)
    again = cover(cache, rows, part, KINDS_FOR[part])
    np.testing.assert_array_equal(faces[3].canvas.pixels, again[3].canvas.pixels)


def test_views_are_cut_as_their_names_say(cache: FaceCache, models: Models) -> None:
    canvases = [cache.canvas(i) for i in range(3)]
    visible = frozenset({Part.EYES, Part.MOUTH})
    plain, blanked = view_logits(canvases, visible, models.logits, SPECS)
    assert set(plain) == set(areas_within(visible))
    assert set(blanked) == set(blanked_within(visible))
    crops = np.stack([cut(f, Area.WHOLE_FACE, hidden={Part.NOSE}) for f in canvases])
    np.testing.assert_allclose(blanked[Area.WHOLE_FACE], models.logits(Area.WHOLE_FACE, crops), atol=1e-5)


def test_occluded_views_are_kept_and_follow_the_logit_bias(cache: FaceCache, models: Models, tmp_path) -> None:
    said: list[str] = []
    first = occluded_views(cache, models, "validation", said.append, tmp_path)
    assert len(said) == 3
    again = occluded_views(cache, models, "validation", said.append, tmp_path)
    assert len(said) == 3
    for area, faces in first.items():
        assert tuple(faces.views) == views_within(area.parts, blanked=True)
        for name, logits in faces.views.items():
            assert logits.shape == (len(faces.labels), 8)
            np.testing.assert_array_equal(logits, again[area].views[name])
    assert sum(len(f.labels) for f in first.values()) > 0.8 * len(cache.rows("validation"))
    assert set(TRAINING_KINDS) & set(KINDS_FOR[Part.NOSE])


def test_predictions_are_kept_and_follow_the_logit_bias(
    cache: FaceCache, models: Models, tiny_models, tmp_path
) -> None:
    said: list[str] = []
    first = cached_predict(cache, models, "test", said.append, tmp_path / "kept")
    count = len(said)
    pd.testing.assert_frame_equal(first, cached_predict(cache, models, "test", said.append, tmp_path / "kept"))
    assert len(said) == count > 0
    manifest = json.loads((tiny_models / "manifest.json").read_text())
    manifest["networks"]["vgg"]["mouth"]["logit_bias"] = [2.0] + [0.0] * 7
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    for file in tiny_models.glob("*.onnx"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    biased = cached_predict(cache, Models(tmp_path, "vgg"), "test", said.append, tmp_path / "kept")
    assert len(said) == count
    plain = by_area(first)[0][Area.MOUTH]
    wanted = with_bias(plain, np.array([2.0] + [0.0] * 7, np.float32))
    assert (wanted != plain).any()
    np.testing.assert_allclose(by_area(biased)[0][Area.MOUTH], wanted, atol=1e-5)


def test_areas_answer_from_what_is_visible(cache: FaceCache, models: Models) -> None:
    faces = PreparedFaces([cache.canvas(i) for i in range(4)])
    path = AnswerPath(models)
    for parts in (frozenset(PARTS), frozenset({Part.MOUTH}), frozenset({Part.NOSE, Part.MOUTH})):
        looked = path.look(faces, parts)
        assert set(looked.sources) == {Area.of(parts).value}
        crops = np.stack([cut(cache.canvas(i), Area.of(parts)) for i in range(4)])
        np.testing.assert_allclose(looked.logits, models.logits(Area.of(parts), crops), atol=1e-5)


def test_the_one_network_answers_from_the_face_as_it_is(cache: FaceCache, tiny_models) -> None:
    models = Models(tiny_models, "resnet", threads=1)
    canvases = [cache.canvas(i) for i in range(4)]
    looked = AnswerPath.of(models).look(PreparedFaces(canvases), areas=())
    assert set(looked.areas) == {Area.WHOLE_FACE}
    whole, hidden = models.one_pass(np.stack([aligned(canvas).pixels for canvas in canvases]))
    for i, seen in enumerate(looked.seen):
        assert [seen.hidden[piece] for piece in PIECES] >= hidden[i].tolist()
        if seen.visible:
            np.testing.assert_allclose(looked.logits[i], whole[i], atol=1e-5)
            assert looked.sources[i] == Source.hidden(seen.hidden_pieces)


def test_every_way_of_answering_is_measured_on_the_same_faces(cache: FaceCache, setup: Setup) -> None:
    measured = measure(cache, *setup, faces=24, say=lambda text: None)
    assert len(measured.table) % 4 == 0
    assert len(measured.table) <= 4 * 24
    table = summary(measured)
    assert table["covered"].tolist() == ["nothing", "eyes", "nose", "mouth", "all"]
    covered = measured.table[measured.table["covered"] != "nothing"]
    bare = measured.table[measured.table["covered"] == "nothing"]
    assert (bare["bare"] == bare["whole_face"]).all()
    for column in ("whole_face", "visible_areas", "shipped"):
        assert table[column].iloc[-1] == pytest.approx(covered[column].mean())
        assert ((table[f"{column}_low"] <= table[column]) & (table[column] <= table[f"{column}_high"])).all()
    gain = covered["shipped"].mean() - covered["whole_face"].mean()
    assert table["gain"].iloc[-1] == pytest.approx(gain)
    found = detection(measured).set_index(["kinds", "part"])
    row = found.loc[("all", "nose")]
    assert row["balanced_accuracy"] == pytest.approx((row["visible_found"] + row["hidden_found"]) / 2)


def test_intervals_take_a_face_s_three_rows_as_one_cluster() -> None:
    generator = np.random.default_rng(0)
    right = np.tile(generator.random(400) < 0.6, 3)
    table = pd.DataFrame({
        "covered": np.repeat(["eyes", "nose", "mouth"], 400), "kind": "block", "sample_id": np.tile(np.arange(400), 3),
        "bare": True, "whole_face": np.tile(generator.random(400) < 0.5, 3), "visible_areas": right,
        "shipped": right, "authenticity": 0.6, "source": "mouth",
    })  # fmt: skip
    rows = summary(Measured(table)).set_index("covered")
    one, all_three = (rows.loc[name, "gain_high"] - rows.loc[name, "gain_low"] for name in ("eyes", "all"))
    assert all_three == pytest.approx(one, rel=1e-6)


def test_without_test_faces_it_says_so(tmp_path, setup: Setup) -> None:
    folder = make_cache(tmp_path / "c", faces=16)
    index = pd.read_parquet(folder / "index.parquet")
    index.assign(split="train").to_parquet(folder / "index.parquet")
    with pytest.raises(TableError, match="no test faces"):
        measure(FaceCache.open(folder), *setup)


@pytest.mark.slow
def test_one_command_refits_checks_and_covers(cache: FaceCache, tiny_models, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "kept"))
    for file in tiny_models.iterdir():
        if file.suffix in (".onnx",) or file.name == "manifest.json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    arguments = ["--cache", cache.folder, "--models", tmp_path, "--results", tmp_path / "results", "--occlusion"]
    arguments += ["--faces", 12, "--splits", 2, "--json"]
    assert main(["calibrate", *map(str, arguments)]) == 0
    summary_ = json.loads(capsys.readouterr().out)
    assert set(summary_["networks"]) == {"vgg", "anyarea", "resnet"}
    assert summary_["occlusion"]["covered"]["all"]["n"] == 36
    for name in ("occlusion.csv", "occlusion_kinds.csv", "occlusion_detection.csv", "occlusion.png", "occlusion.json"):
        assert (tmp_path / "results" / name).stat().st_size > 100
    assert Calibration.load(tmp_path, "vgg").belongs_to(Models(tmp_path, "vgg"))
    assert len(EMOTIONS) == 8
