"""Videos end to end: time stamps from the container, one track a face, hidden stretches flagged, resumed like new."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from builders.video import HEIGHT, WIDTH, background, face_of, moving_face, place, seeing_models, write_video
from mien import cli
from mien.analyze.analyzer import Analyzer
from mien.analyze.answers import Answers
from mien.analyze.table import COLUMNS
from mien.analyze.video import VideoSettings, analyze_videos, tracks
from mien.analyze.video.annotate import annotate_video
from mien.analyze.video.frames import VideoReader
from mien.analyze.video.series import VIDEO_COLUMNS
from mien.analyze.video.timeline import save_timeline
from mien.errors import InputError, MissingExtraError, UsageError
from mien.face import blazeface, device, mesh, session
from mien.face.images import Limits
from mien.types import UInt8

pytest.importorskip("av", reason="the extra 'video' is not installed")

RATE, SECONDS, COVERED = 5, 20, (8.0, 12.0)
TIMES = [i / RATE + 0.03 * (i % 3) for i in range(RATE * SECONDS)]
"""Uneven, as phones film."""


@pytest.fixture(scope="module")
def clip(photo: UInt8, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 s: a face that moves and changes its size, its mouth covered from 8 to 12 s."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_video(path, moving_face(photo, TIMES, COVERED), TIMES)


@pytest.fixture(scope="module")
def analyzer(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Analyzer:
    return Analyzer(seeing_models(tiny_models, tmp_path_factory.mktemp("seeing")))


@pytest.fixture(scope="module")
def analysed(clip: Path, analyzer: Analyzer, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    out = tmp_path_factory.mktemp("analysed") / "clip.csv"
    return out, analyze_videos([str(clip)], out, analyzer, quiet=True)


def numbered(count: int) -> list[UInt8]:
    """Frames whose brightness tells their number."""
    return [np.full((HEIGHT, WIDTH, 3), 10 + 10 * i, np.uint8) for i in range(count)]


def test_the_clip_gives_one_track_and_its_own_time_stamps(analysed: tuple[Path, Any]) -> None:
    out, result = analysed
    table = pd.read_csv(out)
    assert list(table.columns) == list(VIDEO_COLUMNS)
    assert list(table.columns)[: len(COLUMNS)] == list(COLUMNS)
    assert table["face_id"].tolist() == [0] * len(TIMES)
    assert table["frame"].tolist() == list(range(len(TIMES)))
    assert table["approx_time"].to_numpy() == pytest.approx(np.array(TIMES), abs=1e-3)
    assert len(result.series) == 1
    assert result.problems == []
    assert 0.5 < (table["face_detector"] == "track").mean() < 0.9


def test_the_covered_stretch_is_flagged_and_no_other(analysed: tuple[Path, Any]) -> None:
    out, result = analysed
    (stretch,) = result.series[0].stretches
    assert stretch.part == "mouth"
    assert stretch.start == pytest.approx(COVERED[0], abs=0.4)
    assert stretch.end == pytest.approx(COVERED[1], abs=0.4)
    table = pd.read_csv(out)
    inside = table["approx_time"].between(COVERED[0] + 0.4, COVERED[1] - 0.4)
    outside = ~table["approx_time"].between(COVERED[0] - 0.4, COVERED[1] + 0.4)
    assert (table.loc[inside, "occluded"] == "mouth").all()
    assert table.loc[outside, "occluded"].isna().all()
    assert (table.loc[inside, "area"] == "nose_eyes").mean() > 0.9


def test_boxes_follow_the_face(analysed: tuple[Path, Any], photo: UInt8) -> None:
    table = pd.read_csv(analysed[0])
    centre = np.stack([table["face_x"] + table["face_width"] / 2, table["face_y"] + table["face_height"] / 2], axis=1)
    times = table["approx_time"].to_numpy()
    wanted = np.stack([160 + 60 * np.sin(0.5 * times), 120 + 15 * np.sin(0.9 * times)], axis=1)
    assert np.linalg.norm(centre - wanted, axis=1).max() < 14  # pixels; faces are 55 to 85 pixels wide


def test_smoothed_columns_are_probabilities(analysed: tuple[Path, Any]) -> None:
    table = pd.read_csv(analysed[0])
    smoothed = table.filter(regex="^smooth_(?!emotion)")
    assert smoothed.sum(axis=1).to_numpy() == pytest.approx(np.ones(len(table)), abs=1e-5)
    names = smoothed.columns.str.removeprefix("smooth_")
    assert (names[smoothed.to_numpy().argmax(axis=1)] == table["smooth_emotion"]).all()
    assert smoothed.diff().abs().to_numpy()[1:].mean() < table[list(names)].diff().abs().to_numpy()[1:].mean()


class Stop(Exception):
    """Stands for a kill."""


def test_a_killed_run_goes_on_and_gives_the_same_table(
    clip: Path, analyzer: Analyzer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = VideoSettings(rate=1)
    monkeypatch.setattr("mien.analyze.video.film.PIECE_SECONDS", 5.0)
    after = 8  # of twenty frames: in the second piece
    whole, resumed = tmp_path / "whole.csv", tmp_path / "resumed.csv"
    analyze_videos([str(clip)], whole, analyzer, settings, quiet=True)
    real, count = analyzer.analyze, 0

    def dying(*args: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count > after:
            raise Stop
        return real(*args, **options)

    monkeypatch.setattr(analyzer, "analyze", dying)
    with pytest.raises(Stop):
        analyze_videos([str(clip)], resumed, analyzer, settings, quiet=True)
    assert not resumed.exists()
    monkeypatch.setattr(analyzer, "analyze", real)
    analyze_videos([str(clip)], resumed, analyzer, settings, quiet=True)
    assert resumed.read_bytes() == whole.read_bytes()
    assert not (tmp_path / "resumed.csv.journal").exists()


def test_the_rate_thins_frames_evenly(clip: Path) -> None:
    with VideoReader(clip) as reader:
        times = [frame.time for frame in reader.frames(at_most=2)]
    assert len(times) == pytest.approx(2 * SECONDS, abs=1)
    assert max(np.diff(times)) < 0.9
    with VideoReader(clip) as reader:
        later = [frame.index for frame in reader.frames(first=90)]
    assert later == list(range(90, len(TIMES)))


@pytest.mark.parametrize(
    ("rotation", "shape"), [(0, (240, 320)), (90, (320, 240)), (180, (240, 320)), (-90, (320, 240))]
)
def test_phone_video_stands_upright(tmp_path: Path, rotation: int, shape: tuple[int, int]) -> None:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[:120, :160] = 255
    path = write_video(tmp_path / "phone.mp4", [picture] * 3, [0.0, 0.1, 0.2], rotation)
    with VideoReader(path) as reader:
        frames = [frame.pixels for frame in reader]
    assert frames[0].shape == (*shape, 3)
    wanted = np.rot90(picture, rotation // 90)
    assert np.abs(frames[0].astype(int) - wanted).mean() < 8


def test_a_rotated_face_is_found(photo: UInt8, analyzer: Analyzer, tmp_path: Path) -> None:
    upright = place(background(), face_of(photo), (160, 120), 0.9)[:, 40:280]
    lying = np.rot90(np.pad(upright, ((0, 80), (0, 0), (0, 0))), -1)
    path = write_video(tmp_path / "phone.mp4", [np.ascontiguousarray(lying)] * 2, [0.0, 0.5], rotation=90)
    analyze_videos([str(path)], tmp_path / "out.csv", analyzer, quiet=True)
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["status"].tolist() == ["ok", "ok"]
    assert table["face_x"].between(60, 100).all()


def test_a_broken_tail_keeps_what_was_read(tmp_path: Path) -> None:
    times = [i / 10 for i in range(24)]
    path = write_video(tmp_path / "whole.mkv", numbered(24), times)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with VideoReader(cut) as reader:
        read = [frame.time for frame in reader]
    assert 0 < len(read) < 24
    assert {round(time, 2) for time in read} <= {round(time, 2) for time in times}
    assert read == sorted(read)


def test_a_damaged_packet_is_left_out_and_said(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = write_video(tmp_path / "whole.mp4", numbered(24), [i / 10 for i in range(24)])
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    at, size = places[5]
    content[at : at + size] = b"\xff" * size
    path.write_bytes(bytes(content))
    with VideoReader(path) as reader:
        count = len(list(reader))
    assert 0 < count < 24
    assert reader.problem


def whole_video(tmp_path: Path, name: str, **options: str) -> Path:
    """4 s at 10 frames a second, with a picture that moves."""
    noise = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH + 80, 3), np.uint8)
    frames = [np.ascontiguousarray(cv2.blur(noise[:, 2 * i : 2 * i + WIDTH], (5, 5))) for i in range(40)]
    return write_video(tmp_path / name, frames, [i / 10 for i in range(40)], container=options)


def problem_of(path: Path) -> tuple[int, str]:
    with VideoReader(path) as reader:
        return len(list(reader)), reader.problem


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mts", "a.avi", "a.mov"])
def test_a_whole_video_is_whole(tmp_path: Path, name: str) -> None:
    assert problem_of(whole_video(tmp_path, name)) == (40, "")


@pytest.mark.parametrize(("name", "options"), [("a.mkv", {}), ("a.mp4", {"movflags": "frag_keyframe+empty_moov"})])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_cut_video_is_not_taken_for_a_whole_one(
    tmp_path: Path, name: str, options: dict[str, str], share: float
) -> None:
    """Neither container says how many frames there are; the second does not even say how long it is."""
    path = whole_video(tmp_path, name, **options)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    count, problem = problem_of(path)
    assert count < 40
    assert problem


def test_damage_in_the_middle_is_said(tmp_path: Path) -> None:
    """The decoder hides it: all frames come, one with a smear."""
    path = whole_video(tmp_path, "a.mkv")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    assert problem_of(path)[1]


def test_flipped_bytes_are_said(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = whole_video(tmp_path, "a.mp4")
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for at, size in places[8:12]:
        for offset in range(size // 3, size, 40):
            content[at + offset] ^= 0xFF
    path.write_bytes(content)
    assert problem_of(path)[1]


def test_a_video_that_stands_still_is_not_damaged(tmp_path: Path) -> None:
    """Uneven frames are the camera's choice, and sound may go on after the last of them."""
    times = [0.0, 0.1, 0.25, 0.3, 4.0, 4.1, 4.3, 9.0]
    assert problem_of(write_video(tmp_path / "a.mp4", numbered(8), times)) == (8, "")


def test_a_colon_in_a_name_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    whole_video(tmp_path, "a.mp4").rename("12:30:05.mp4")
    assert problem_of(Path("12:30:05.mp4")) == (40, "")


def test_a_playlist_called_a_video_opens_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    inner = whole_video(tmp_path, "inner.ts")
    lists = {
        "hls.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:4,\n{inner.name}\n#EXT-X-ENDLIST\n",
        "concat.mp4": f"ffconcat version 1.0\nfile {inner.name}\n",
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match="cannot be read as a video"):
            VideoReader(tmp_path / name)


def test_a_frame_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="too large"):
        VideoReader(whole_video(tmp_path, "a.mp4"), Limits(pixels=WIDTH * HEIGHT - 1))


def test_what_is_no_video_is_said_in_a_sentence(tmp_path: Path) -> None:
    words, empty = tmp_path / "words.mp4", tmp_path / "empty.mp4"
    words.write_text("not a video")
    empty.touch()
    for path, sentence in (
        (words, "cannot be read"),
        (empty, "cannot be read"),
        (tmp_path / "no.mp4", "no such file"),
        (tmp_path, "is a folder"),
    ):
        with pytest.raises(InputError, match=sentence):
            VideoReader(path)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(InputError, match="holds no video"):
        VideoReader(path)


def test_without_pyav_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mien\[video\]'"):
        VideoReader(tmp_path / "any.mp4")


def test_several_videos_and_one_of_them_bad(photo: UInt8, analyzer: Analyzer, tmp_path: Path) -> None:
    good, bad, out = tmp_path / "good.mp4", tmp_path / "bad.mp4", tmp_path / "out.csv"
    face = place(background(), face_of(photo), (160, 120), 0.9)
    write_video(good, [face, face, background()], [0.0, 0.5, 1.0])
    bad.write_text("not a video")
    result = analyze_videos([str(bad), str(good)], out, analyzer, quiet=True)
    table = pd.read_csv(out)
    assert set(table["input"]) == {str(good)}
    assert table["status"].tolist()[:2] == ["ok", "ok"]
    assert [name for name, _ in result.problems] == [str(bad)]
    assert pd.read_csv(tmp_path / "out.failures.csv")["input"].tolist() == [str(bad)]
    assert result.frames == {str(bad): 0, str(good): 3}


def test_detection_runs_on_the_device_too(clip: Path, tiny_models: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """Networks are asked for on the current device: it must be the analyzer's while a frame is searched."""
    seen: set[str] = set()
    before = session.session

    def asked(name: str) -> session.Session:
        seen.add(device.current())
        with device.on("cpu"):
            return before(name)

    for module in (blazeface, mesh):
        monkeypatch.setattr(module, "session", asked)
    monkeypatch.setattr(Analyzer, "device", "cuda")
    monkeypatch.setattr(Analyzer, "analyze", lambda *_, **__: Answers((), np.zeros((9, 9, 3), np.uint8)))
    monkeypatch.setattr(tracks.Tracker, "update", lambda self, pixels, *_, **__: self.detect(pixels, [])[:0])
    analyze_videos([str(clip)], tmp_path / "t.csv", Analyzer(tiny_models), VideoSettings(rate=0.2), quiet=True)
    assert seen == {"cuda"}


def test_frames_without_a_face_have_a_row(analyzer: Analyzer, tmp_path: Path) -> None:
    path = write_video(tmp_path / "empty.mp4", [background()] * 2, [0.0, 0.1])
    result = analyze_videos([str(path)], tmp_path / "out.csv", analyzer, quiet=True)
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["status"].tolist() == ["no face"] * 2
    assert table["face_id"].isna().all()
    assert result.series == []
    save_timeline(result.series, tmp_path / "empty.png")
    assert (tmp_path / "empty.png").stat().st_size > 0


def test_timeline_and_annotated_video(clip: Path, analysed: tuple[Path, Any], tmp_path: Path) -> None:
    out, result = analysed
    save_timeline(result.series, tmp_path / "timeline.png")
    drawn = cv2.imread(str(tmp_path / "timeline.png"))
    assert drawn is not None
    assert drawn.std() > 10
    target = tmp_path / "annotated.mp4"
    annotate_video(clip, out, target, str(clip), quiet=True)
    with VideoReader(target) as reader:
        frames = list(reader)
    assert [frame.time for frame in frames] == pytest.approx(TIMES, abs=2e-3)
    assert frames[0].pixels.shape == (480, 640, 3)
    with VideoReader(clip) as reader:
        first = next(iter(reader)).pixels
    plain = cv2.resize(first, (640, 480), interpolation=cv2.INTER_CUBIC)
    changed = np.abs(frames[0].pixels.astype(int) - plain).max(axis=2) > 60
    assert 0.005 < changed.mean() < 0.3


def test_drawings_are_refused_where_they_cannot_go(clip: Path, analysed: tuple[Path, Any], tmp_path: Path) -> None:
    out, result = analysed
    with pytest.raises(UsageError, match="ends with"):
        save_timeline(result.series, tmp_path / "timeline.txt")
    with pytest.raises(UsageError, match="ends with"):
        annotate_video(clip, out, tmp_path / "annotated.gif", str(clip))
    with pytest.raises(UsageError, match="overwrite the video"):
        annotate_video(clip, out, clip, str(clip))


def test_settings_that_are_refused() -> None:
    for wrong in ({"rate": 0}, {"rate": -1}, {"smoothing": -0.1}):
        with pytest.raises(UsageError):
            VideoSettings(**wrong)  # type: ignore[arg-type]


def test_the_command_line_sums_up_and_says_what_is_wrong(
    photo: UInt8, tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    face = place(background(), face_of(photo), (160, 120), 0.9)
    path = write_video(tmp_path / "short.mp4", [face] * 3, [0.0, 0.1, 0.2])
    common = ["analyze", "--models", str(tiny_models)]
    assert cli.main([*common, str(path), "--timeline", str(tmp_path / "t.png")]) == 0
    printed = capsys.readouterr()
    assert "3 frames, 1 face" in printed.out
    assert "face 0: 0.0 to 0.2 s" in printed.out
    assert (tmp_path / "t.png").exists()
    assert not list(tmp_path.glob("*.csv"))
    for wrong, sentence in (
        ([str(tmp_path / "no.mp4")], "no such file"),
        ([str(path), str(tmp_path)], "a call of their own"),
        ([str(path), "--csv"], "write a file"),
        ([str(path), "--heatmap", "x.png"], "for photos"),
        ([str(path), str(path), "--timeline", "x.png"], "one video at a time"),
        ([str(path), "--out", str(tmp_path / "x.json")], "must end in"),
    ):
        assert cli.main([*common, *wrong]) in (2, 3)
        assert sentence in capsys.readouterr().err
