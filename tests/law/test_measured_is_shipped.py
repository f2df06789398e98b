"""What is measured is what is shipped: evaluation and ``Analyzer`` say the same of the same faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.analyze.analyzer import Analyzer
from mien.data.cache import crops_of
from mien.face.crops import canvas_of
from mien.face.detect import detect
from mien.face.images import to_gray
from mien.measure.subsets import Sample, end_to_end
from mien.trust.answer import AnswerPath, Judge, PreparedFaces
from mien.trust.authenticity import Calibration
from mien.trust.fusion import Fusion
from mien.trust.models import Models
from mien.types import AREAS, Emotion, UInt8


class OneFace:
    """A prepared data set of the photo's one face."""

    def __init__(self, photo: UInt8) -> None:
        self.gray = to_gray(photo)
        self.face = detect(photo)[0]

    def canvas(self, row: int):  # type: ignore[no-untyped-def]
        return canvas_of(self.gray, self.face.landmarks, sampling="cubic")


@pytest.mark.parametrize("network", ["vgg", "anyarea", "resnet"])
def test_prepared_faces_are_answered_as_photos_are(network: str, tiny_models: Path, photo: UInt8) -> None:
    models = Models(tiny_models, network)
    answer = Analyzer(models).analyze(photo)[0]
    path = AnswerPath.of(models, Fusion.load(tiny_models, network))
    judge = Judge(Calibration.load(tiny_models, network))
    cache = OneFace(photo)
    if network == "resnet":  # networks of single areas see linear crops of the photo, the cache holds cubic ones
        looked = path.look(PreparedFaces([cache.canvas(0)]))
        assert looked.seen[0] == answer.visibility
        np.testing.assert_allclose(looked.logits[0], answer.fused.logits, atol=1e-5)
        said = judge.predictions(looked.shown[0], looked.logits, looked.sources[0])[0]
        assert said.p_correct == answer.fused.p_correct
        for area in AREAS:
            crops = crops_of(cache, np.array([0]), area, models.entry(area).spec)  # type: ignore[arg-type]
            np.testing.assert_allclose(models.logits(area, crops)[0], answer.predictions[area].logits, atol=1e-5)


@pytest.mark.parametrize("network", ["vgg", "anyarea", "resnet"])
def test_published_lists_are_answered_as_mien_analyze_does(
    network: str, tiny_models: Path, photo: UInt8, tmp_path: Path
) -> None:
    from mien.face import images

    picture = tmp_path / "a.png"
    images.save(photo, picture)
    models = Models(tiny_models, network)
    answer = Analyzer(models).analyze(picture)[0]
    path = AnswerPath.of(models, Fusion.load(tiny_models, network))
    sample = Sample("a", "own", "test", picture, None, Emotion.HAPPINESS, np.eye(8, dtype=np.float32)[1])
    table = end_to_end([sample], path, Judge(Calibration.load(tiny_models, network)), detect, lambda text: None)
    row = table.iloc[0]
    assert row["emotion"] == answer.fused.emotion.value
    assert row["p_correct"] == pytest.approx(answer.fused.p_correct.value, abs=0.02)  # grey by two roads
    assert row["hidden"] == " ".join(answer.visibility.hidden_pieces)
