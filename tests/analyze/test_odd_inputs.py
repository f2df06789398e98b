"""The Analyzer given what it should not be given, carried to another process, and its videos."""

from __future__ import annotations

import json
import math
import pickle
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pandas as pd
import pytest

from mien import Analyzer
from mien.analyze.options import AnalyzerOptions, OptionValues
from mien.errors import InputError, ModelError, UsageError
from mien.face.images import Limits
from mien.jobs.limits import TooSlow, time_limit
from mien.trust.folder import FITTED_FILES
from mien.types import Face, Part, UInt8


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e9])
@pytest.mark.parametrize("where", ["box", "landmarks"])
def test_a_face_that_is_nowhere_is_refused(bad: float, where: str, photo: UInt8, tiny_models: Path) -> None:
    analyzer = Analyzer(tiny_models, detector="hog")
    face = analyzer.analyze(photo)[0].face
    box, points = face.box.copy(), face.landmarks.copy()
    (box if where == "box" else points).flat[3] = bad
    with pytest.raises(UsageError, match="faces"):
        analyzer.analyze(photo, faces=[Face(box, points, "given", 0.0)])
    with pytest.raises(UsageError, match="less than a pixel"):
        analyzer.analyze(photo, faces=[Face(face.box, np.zeros_like(points), "given", 0.0)])


@pytest.mark.parametrize("content", ["{}", "[]", "null", "3", '"x"', '{"default": 1, "networks": {}}',
                                     '{"default": "a", "networks": {"a": {"chin": {}}}}',
                                     '{"default": "a", "networks": {"a": {"mouth": 3}}}',
                                     '{"default": "a", "networks": {"a": {"mouth": {"spec": 1, "file": 2}}}}',
                                     '{"default": "a", "networks": ["a"]}', "{", "\x00"])  # fmt: skip
def test_a_damaged_manifest_is_a_model_error(content: str, photo: UInt8, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ModelError):
        Analyzer(tmp_path).analyze(photo)


def test_an_analyzer_travels(photo: UInt8, tiny_models: Path) -> None:
    analyzer = Analyzer(
        tiny_models,
        detector="hog",
        area=("eyes", "nose"),
        coverage=0.8,
        min_p_correct=0.3,
        limits=Limits(pixels=10**7),
    )
    before = analyzer.analyze(photo)
    other = pickle.loads(pickle.dumps(analyzer))
    assert json.dumps(other.analyze(photo).to_dict()["faces"]) == json.dumps(before.to_dict()["faces"])
    assert other.options == analyzer.options != Analyzer(tiny_models).options
    assert pickle.loads(pickle.dumps(Analyzer(tiny_models))).options.visible is None


def test_options_have_the_same_names_and_types_as_keywords() -> None:
    assert get_type_hints(OptionValues) == get_type_hints(AnalyzerOptions)
    assert AnalyzerOptions(area="nose-eyes").visible == {Part.NOSE, Part.EYES}
    assert len({AnalyzerOptions(prior="balanced"), AnalyzerOptions(prior="balanced"), AnalyzerOptions()}) == 2


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "cut": lambda content: content[: len(content) // 2],
    "one byte": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "empty": lambda content: b"",
    "gone": lambda content: None,
}


@pytest.mark.parametrize("name", FITTED_FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_trust_is_a_model_error_and_never_silent(
    name: str, damage: str, tiny_models: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_models, tmp_path / "models"))
    content = DAMAGES[damage]((folder / name).read_bytes())
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match="make it again with"):
        Analyzer(folder, prior="balanced", coverage=0.9)


def _sleep_and_catch() -> None:
    with time_limit(0.2):
        try:
            time.sleep(5)
        except Exception:  # as decoders do
            pytest.fail("taken for a fault")


def test_time_is_limited_also_within_what_catches_everything() -> None:
    with pytest.raises(TooSlow, match=r"0\.2 s"):
        _sleep_and_catch()
    with time_limit(5):
        pass
    time.sleep(0.01)


def test_a_frame_that_takes_too_long_ends_its_video_and_keeps_what_was_read(
    photo: UInt8, tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("av")
    from builders.video import background, face_of, place, write_video
    from mien.analyze.video import VideoSettings, analyze_videos

    monkeypatch.setattr("mien.analyze.video.film.PIECE_SECONDS", 1.0)
    frame = place(background(), face_of(photo), (160, 120), 0.9)
    path = write_video(tmp_path / "a.mp4", [frame] * 6, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
    analyzer = Analyzer(tiny_models, limits=replace(Limits(), seconds=4))
    real, calls = analyzer.analyze, 0

    def slow(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4:
            time.sleep(30)
        return real(*args, **options)

    monkeypatch.setattr(analyzer, "analyze", slow)
    result = analyze_videos([str(path)], tmp_path / "r.csv", analyzer, VideoSettings(), quiet=True)
    assert pd.read_csv(tmp_path / "r.csv")["frame"].tolist() == [0, 1]
    assert "longer than 4 s" in result.problems[0][1]


def test_the_limit_of_pixels_is_the_analyzers_for_videos_too(tiny_models: Path, tmp_path: Path) -> None:
    pytest.importorskip("av")
    from builders.video import background, write_video
    from mien.analyze.video import analyze_videos

    path = write_video(tmp_path / "a.mp4", [background()], [0.0])
    with pytest.raises(InputError, match="too large"):
        analyze_videos([str(path)], tmp_path / "r.csv", Analyzer(tiny_models, limits=Limits(pixels=1000)), quiet=True)
