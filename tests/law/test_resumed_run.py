"""An interrupted run goes on only as what it was: any other option, network, models folder or file is refused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from builders.video import write_video
from mien.analyze import folder as photos
from mien.analyze.analyzer import Analyzer
from mien.analyze.folder import Finished, FolderSettings, PhotoTask, analyze_folder
from mien.analyze.video import film
from mien.analyze.video.film import VideoSettings, analyze_videos
from mien.errors import UsageError
from mien.face.limits import Limits
from mien.trust.folder import FITTED_FILES, Manifest


class Stop(BaseException):
    """Stands for a kill."""


@pytest.fixture
def other_trust(tiny_models: Path, tmp_path: Path) -> Path:
    """The same networks, judged otherwise."""
    folder = Path(shutil.copytree(tiny_models, tmp_path / "other"))
    path = folder / "calibration.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=3))
    Manifest.read(folder).with_fitted(FITTED_FILES).write()
    return folder


OPTIONS: list[dict[str, Any]] = [
    {"network": "vgg"}, {"area": ("mouth",)}, {"coverage": 0.9}, {"min_p_correct": 0.5},
    {"limits": Limits(seconds=77.0)}, {"models": "other"},
]  # fmt: skip


def _interrupted_film(video: Path, out: Path, analyzer: Analyzer, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0

    def dying(*_: object) -> list[dict[str, Any]]:
        nonlocal count
        count += 1
        if count > 4:
            raise Stop
        return []

    with monkeypatch.context() as patch:
        patch.setattr(film, "PIECE_SECONDS", 1.0)
        patch.setattr(film._Walk, "rows", dying)
        with pytest.raises(Stop):
            analyze_videos([str(video)], out, analyzer, quiet=True)
    assert out.with_name(f"{out.name}.journal").is_dir()


@pytest.fixture
def video(tmp_path: Path) -> Path:
    pytest.importorskip("av", reason="needs the extra video")
    pictures = [np.full((48, 64, 3), 20 * i, np.uint8) for i in range(8)]
    return write_video(tmp_path / "clip.mp4", pictures, [i / 2 for i in range(8)])


def refused(run: Callable[[], object], why: str) -> None:
    with pytest.raises(UsageError, match="unfinished work with other settings") as caught:
        run()
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: next(iter(option)))
def test_a_video_continued_otherwise_is_refused(
    video: Path, tiny_models: Path, other_trust: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    option: dict[str, Any],
) -> None:  # fmt: skip
    out = tmp_path / "out.csv"
    _interrupted_film(video, out, Analyzer(tiny_models), monkeypatch)
    changed = Analyzer(**({"models": tiny_models} | option | ({"models": other_trust} if "models" in option else {})))
    refused(lambda: analyze_videos([str(video)], out, changed, quiet=True), next(iter(option)))


def test_a_video_continued_with_another_rate_or_file_is_refused(
    video: Path, tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, analyzer = tmp_path / "out.csv", Analyzer(tiny_models)
    _interrupted_film(video, out, analyzer, monkeypatch)
    refused(lambda: analyze_videos([str(video)], out, analyzer, VideoSettings(rate=1.0), quiet=True), "rate")
    os.utime(video, (1, 1))
    refused(lambda: analyze_videos([str(video)], out, analyzer, quiet=True), f"the file {video}")


def test_the_same_video_goes_on_in_a_copied_models_folder(
    video: Path, tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.csv"
    _interrupted_film(video, out, Analyzer(tiny_models), monkeypatch)
    copy = Path(shutil.copytree(tiny_models, tmp_path / "copy"))
    monkeypatch.setattr(film._Walk, "rows", lambda *_: [])
    result = analyze_videos([str(video)], out, Analyzer(copy), quiet=True)
    assert result.frames == {str(video): 8}


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: next(iter(option)))
def test_a_folder_continued_otherwise_is_refused(
    tiny_models: Path, other_trust: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: dict[str, Any]
) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out.csv"
    folder.mkdir()
    for i in range(3):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((40, 40), 90, np.uint8))
    done: list[str] = []

    def dying(task: PhotoTask) -> Finished:
        done.append(task.photo.input)
        if len(done) > 1:
            raise Stop
        return Finished([], [])

    settings = FolderSettings(models=tiny_models)
    with monkeypatch.context() as patch:
        patch.setattr(photos, "analyze_photo", dying)
        with pytest.raises(Stop):
            analyze_folder([str(folder)], out, settings, workers=0, quiet=True)
    name, value = next(iter(option.items()))
    if name in ("network", "models"):
        changed = replace(settings, **{name: other_trust if name == "models" else value})
    else:
        changed = replace(settings, options=replace(settings.options, **option))
    refused(lambda: analyze_folder([str(folder)], out, changed, workers=0, quiet=True), name)
