from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from builders.data import expw, ferplus_folders, ferplus_kaggle, plain_expw_lines, plain_ferplus_rows, zipped
from mien.data import Dataset, read, rows
from mien.data import find as chunks
from mien.data import prepare as module
from mien.data.prepare import PrepareConfig, prepare, prepared
from mien.errors import DatasetError, InputError, InterruptedWork, UsageError
from mien.face.crops import canvas_of
from mien.face.images import load, to_gray
from mien.jobs.lock import claimed
from mien.types import Face, UInt8

QUICK = PrepareConfig(detector="hog", workers=1, quiet=True)
FACES = 24


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder, hidden ones too, and its content's hash."""
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def guess(gray: np.ndarray, detector: str = "auto") -> Face:
    """A detector in no time, for tests of everything around it: points on a spiral that depend on the picture."""
    turn = np.linspace(0, 12, 68) + float(gray.mean())
    points = np.stack([np.cos(turn), np.sin(turn)], axis=1) * np.linspace(4, 18, 68)[:, None] + np.array(gray.shape) / 2
    name = "hog" if gray.mean() > 100 else "frame"
    return Face(np.array([4, 4, 40, 40], np.float32), points.astype(np.float32), name, 0.5)  # type: ignore[arg-type]


def guess_each(pictures: Sequence[UInt8], detector: str = "mesh") -> list[Face]:
    return [guess(picture) for picture in pictures]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 5)


@pytest.fixture
def guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "detect_each", guess_each)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ferplus_folders(tmp_path_factory.mktemp("data"), plain_ferplus_rows(FACES))


@pytest.fixture(scope="module")
def dataset(root: Path) -> Dataset:
    return read("ferplus", root)


@pytest.fixture(scope="module")
def whole(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Content of the caches' folder after an uninterrupted preparation, faces guessed."""
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "detect_each", guess_each)
        prepare(dataset, out, QUICK)
    return contents(out)


@pytest.fixture(scope="module")
def found(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same, faces found by HOG."""
    out = tmp_path_factory.mktemp("found")
    prepare(dataset, out, QUICK)
    return contents(out)


def done_pieces(out: Path) -> int:
    """How many pieces of an interrupted preparation are marked as done."""
    try:
        return sum(int(np.load(path).sum()) for path in out.glob(".*/found/done.npy"))
    except (OSError, ValueError, EOFError):
        return 0


@pytest.mark.usefixtures("guessed")
def test_files_and_report(dataset: Dataset, tmp_path: Path) -> None:
    done = prepare(dataset, tmp_path, QUICK)
    assert [p.name for p in tmp_path.iterdir()] == [done.folder.name]
    assert done.folder.name.startswith("ferplus-")
    assert sorted(contents(done.folder)) == [
        "canvases.npy", "extents.npy", "index.parquet", "landmarks.npy", "settings.json",
    ]  # fmt: skip
    settings = json.loads((done.folder / "settings.json").read_text())
    assert settings["detector"] == "hog"
    assert settings["faces"] == FACES
    report = done.report
    assert report["faces"] == FACES == sum(report["detectors"].values()) == sum(report["published_faces"].values())
    speed = report["speed"]
    assert speed["faces_found_by_this_run"] == FACES
    counted = {name: t["faces"] for name, t in speed["wall"]["milliseconds_a_face"].items()}
    assert counted == {name: n for name, n in report["detectors"].items() if n}
    text = "\n".join(done.lines())
    assert f"{FACES} faces in {done.folder}" in text
    assert f"fallen back to the whole frame: {report['detectors']['frame']}" in text
    again = prepare(dataset, tmp_path, QUICK)
    assert again.folder == done.folder
    assert "speed" not in again.report
    assert again.report["detectors"] == report["detectors"]


def test_the_same_bytes_from_two_processes(dataset: Dataset, found: dict[str, str], tmp_path: Path) -> None:
    prepare(dataset, tmp_path, PrepareConfig(detector="hog", workers=2, quiet=True))
    assert contents(tmp_path) == found


@pytest.mark.usefixtures("guessed")
def test_a_cache_that_is_there_is_opened_without_decoding_a_picture(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = prepare(dataset, tmp_path, QUICK)
    monkeypatch.setattr("mien.data.pictures._look", None)
    assert prepare(dataset, tmp_path, QUICK).folder == done.folder == module.folder_of(dataset, tmp_path, QUICK)


def test_nothing_is_on_the_disk_twice(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FER+ takes less than 500 MB: 14 kB a face and no more, at any moment of the preparation."""
    sizes: list[int] = []
    real = rows.FaceRows.put

    def measured(self: rows.FaceRows, number: int, chunk: chunks.Chunk) -> None:
        real(self, number, chunk)
        sizes.append(sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()))

    monkeypatch.setattr(rows.FaceRows, "put", measured)
    folder = prepare(dataset, tmp_path, PrepareConfig(workers=1, quiet=True)).folder
    sizes.append(sum(path.stat().st_size for path in folder.iterdir()))
    assert max(sizes) < FACES * 14_000 + 30_000  # the index of a few faces is mostly its own head


CHANGES: dict[str, Callable[[Path], tuple[dict[str, Any], PrepareConfig]]] = {
    "detector": lambda _: ({}, PrepareConfig(detector="cnn", workers=1, quiet=True, limit=2)),
    "limit": lambda _: ({}, PrepareConfig(detector="hog", workers=1, quiet=True, limit=3)),
    "votes": lambda _: ({"votes": "fer2013new"}, QUICK),
    "a picture": lambda root: (shutil.copy(root / "FER2013Train/fer0000001.png", root / "FER2013Train/fer0000000.png")
                               and {}, QUICK),
    "a label": lambda root: ((root / "FER2013Train/label.csv").write_text(
        (root / "FER2013Train/label.csv").read_text().replace('48)",9,0', '48)",0,9', 1)) and {}, QUICK),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.usefixtures("guessed")
def test_whatever_is_changed_makes_another_cache(change: str, root: Path, dataset: Dataset, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(root, tmp_path / "data"))
    out = tmp_path / "out"
    first = prepare(read("ferplus", copy), out, QUICK)
    assert first.folder.name == prepare(dataset, out, QUICK).folder.name  # the same data elsewhere: the same cache
    options, config = CHANGES[change](copy)
    second = prepare(read("ferplus", copy, **options), out, config)
    assert second.folder != first.folder
    assert len(list(out.iterdir())) == 2


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        ("mien.face.dlib_faces", "_ATTEMPTS", (("hog", 96, 0, 0.0),)),
        ("mien.face.dlib_faces", "_BOX_JITTER", ((0.0, 0.0),)),
        ("mien.data.find", "canvas_of", lambda gray, points, size: canvas_of(gray, points + 1, size)),
    ],
)
def test_changed_code_makes_another_cache(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: str, name: str, value: object
) -> None:
    config = PrepareConfig(detector="hog", workers=1, quiet=True, limit=2)
    first = prepare(dataset, tmp_path, config)
    assert prepare(dataset, tmp_path, config).folder == first.folder
    monkeypatch.setattr(f"{owner}.{name}", value)
    assert prepare(dataset, tmp_path, config).folder != first.folder


@pytest.mark.usefixtures("guessed")
def test_a_zip_and_kaggles_csv_give_the_same_faces(root: Path, tmp_path: Path) -> None:
    canvases = []
    kaggle = ferplus_kaggle(tmp_path / "kaggle", plain_ferplus_rows(FACES))
    for number, place in enumerate(
        (root, zipped(root, tmp_path / "f.zip"), kaggle, zipped(kaggle, tmp_path / "k.zip"))
    ):
        done = prepare(read("ferplus", place, votes="fer2013new"), tmp_path / f"out{number}", QUICK)
        canvases.append((done.folder.name, np.array(done.cache.canvases), np.array(done.cache.landmarks)))
    assert canvases[0][0] == canvases[1][0]  # a zip of it is the same data
    for _, pixels, points in canvases[1:]:
        assert (pixels == canvases[0][1]).all()
        assert (points == canvases[0][2]).all()


@pytest.mark.usefixtures("guessed")
def test_every_face_of_a_photo_is_framed_by_its_own_box(tmp_path: Path) -> None:
    lines = plain_expw_lines(6)
    done = prepare(read("expw", expw(tmp_path / "expw", lines)), tmp_path / "out", QUICK)
    index = done.cache.index
    assert index["id"].tolist() == [f"{line.split()[0]}#{line.split()[1]}" for line in lines]
    sizes = index.groupby(index["id"].str.split("#").str[0]).size()
    assert sorted(sizes.tolist()) == [1, 1, 2, 2, 3, 3]
    third = done.cache.canvases[index.index[index["id"] == "photo_002.jpg#2"][0]]
    first = done.cache.canvases[index.index[index["id"] == "photo_002.jpg#0"][0]]
    assert (third != first).any()


class Crash(BaseException):
    """Stands for a SIGKILL between two steps that change the disk."""


@pytest.mark.usefixtures("guessed")
def test_a_crash_at_every_single_step_does_no_harm(
    dataset: Dataset, whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The n-th rename, fsync or removal never happens; the next run goes on; for every n."""
    left = 10**9

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Crash
            return real(*args, **options)

        return step

    for owner, name in ((Path, "replace"), (Path, "rename"), (Path, "mkdir"), (os, "fsync"), (shutil, "rmtree")):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    crashes = 0
    for allowed in range(1000):
        out = tmp_path / str(allowed)
        left = allowed
        try:
            prepare(dataset, out, QUICK)
        except Crash:
            crashes += 1
            left = 10**9
            prepare(dataset, out, QUICK)
            assert contents(out) == whole, f"after a crash at step {allowed}"
            continue
        assert contents(out) == whole
        break
    assert crashes > 25


KILLED = """
import os, random, shutil, signal, sys, time
from pathlib import Path
import mien.data.prepare as module
from mien.data import read
module.CHUNK = 5
root, out = sys.argv[1:3]
config = module.PrepareConfig(detector="hog", workers=1, quiet=True)
dataset = read("ferplus", root)
chance = random.Random(int(sys.argv[3]))

def started():
    pid = os.fork()
    if pid == 0:
        try:
            module.prepare(dataset, out, config)
        finally:
            os._exit(0)
    return pid

start = time.monotonic()
os.waitpid(started(), 0)
whole = time.monotonic() - start
shutil.rmtree(out)
killed = restarts = 0
while killed < 10:
    pid = started()
    time.sleep(chance.uniform(0, whole / 2))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        killed += 1
        continue
    restarts += 1  # it was done before the kill came
    if killed < 10:
        shutil.copytree(out, f"{out}-{restarts}")
        shutil.rmtree(out)
_, status = os.waitpid(started(), 0)
assert status == 0, status
print(killed)
"""


def test_ten_sigkills_at_random_moments(root: Path, found: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", KILLED, str(root), str(out), "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "10", done.stderr
    for folder in tmp_path.iterdir():
        assert contents(folder) == found, folder


def test_a_kill_takes_the_workers_along_and_the_rest_is_found_later(
    root: Path, tmp_path: Path, dataset: Dataset, found: dict[str, str]
) -> None:
    code = (
        "import sys; from pathlib import Path; import mien.data.prepare as m; from mien.data import read; m.CHUNK = 5;"
        "m.prepare(read('ferplus', sys.argv[1]), sys.argv[2],"
        "m.PrepareConfig(detector='hog', workers=2, quiet=True))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(root), str(tmp_path)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not done_pieces(tmp_path) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    assert children or process.returncode == 0
    done = prepare(dataset, tmp_path, QUICK)
    assert contents(tmp_path) == found
    assert process.returncode == 0 or done.report["speed"]["faces_found_by_earlier_runs"] >= 5


@pytest.mark.usefixtures("guessed")
def test_pieces_that_are_there_are_not_done_again(
    dataset: Dataset, whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = chunks.find_faces, []

    def some(task: chunks.ChunkTask) -> chunks.Chunk:
        seen.append(task)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return real(task)

    monkeypatch.setattr(module, "find_faces", some)
    with pytest.raises(InterruptedWork, match="the same command goes on from there"):
        prepare(dataset, tmp_path, QUICK)
    assert done_pieces(tmp_path) == 2
    done = prepare(dataset, tmp_path, QUICK)
    assert len(seen) == 6  # five pieces, one of them twice
    assert done.report["speed"]["faces_found_by_earlier_runs"] == 10
    assert contents(tmp_path) == whole


@pytest.mark.usefixtures("guessed")
def test_a_damaged_piece_is_done_again(dataset: Dataset, whole: dict[str, str], tmp_path: Path) -> None:
    work = tmp_path / f".{next(iter(whole)).split('/')[0]}.partial"
    (work / "found").mkdir(parents=True)
    np.save(work / "found" / "done.npy", np.ones(5, np.uint8))
    np.save(work / "canvases.npy", np.zeros((FACES, 96, 96), np.uint8))
    np.save(work / "landmarks.npy", np.zeros((3, 68, 2), np.float32))  # of another length
    (work / "extents.npy").write_bytes(b"no array")
    prepare(dataset, tmp_path, QUICK)
    assert contents(tmp_path) == whole


@pytest.mark.usefixtures("guessed")
def test_a_damaged_cache_is_told(dataset: Dataset, tmp_path: Path) -> None:
    done = prepare(dataset, tmp_path, QUICK)
    (done.folder / "canvases.npy").unlink()
    with pytest.raises(DatasetError, match="was damaged from outside: delete it"):
        prepare(dataset, tmp_path, QUICK)


@pytest.mark.usefixtures("guessed")
def test_broken_faces_are_named_before_the_work_and_skipped_on_demand(tmp_path: Path) -> None:
    root = ferplus_folders(tmp_path / "data", plain_ferplus_rows(FACES))
    (root / "FER2013Train" / "fer0000000.png").unlink()
    (root / "FER2013Train" / "fer0000001.png").write_bytes(b"no picture")
    dataset = read("ferplus", root)
    with pytest.raises(
        DatasetError, match=r"2 faces are missing or broken: .*fer0000000.*line 2: .*fer0000001\.png: not a"
    ):
        prepare(dataset, tmp_path / "out", QUICK)
    assert not (tmp_path / "out").exists()
    skipping = PrepareConfig(detector="hog", workers=1, quiet=True, skip_broken=True)
    done = prepare(dataset, tmp_path / "out", skipping)
    assert done.report["faces"] == FACES - 2
    assert len(done.report["skipped"]) == 2
    assert sum(line.startswith("skipped: ") for line in done.lines()) == 2


@pytest.mark.usefixtures("guessed")
def test_limit_spreads_evenly(dataset: Dataset, tmp_path: Path) -> None:
    config = PrepareConfig(detector="hog", workers=1, quiet=True, limit=4)
    ids = prepare(dataset, tmp_path, config).cache.index["id"].tolist()
    assert ids == [dataset.samples[i].id for i in (0, 8, 15, 23)]


@pytest.mark.usefixtures("guessed")
def test_only_one_at_a_time(dataset: Dataset, whole: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / f".{next(iter(whole)).split('/')[0]}.partial"
    with claimed(folder / "lock"), pytest.raises(UsageError, match="another process is preparing"):
        prepare(dataset, tmp_path, QUICK)
    prepare(dataset, tmp_path, QUICK)
    assert contents(tmp_path) == whole


@pytest.mark.usefixtures("guessed")
def test_too_little_room_is_told_before_the_work(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(InputError, match=r"has 0\.0 GB free and the cache needs 0\.0 GB"):
        prepare(dataset, tmp_path, QUICK)


@pytest.mark.usefixtures("guessed")
def test_a_folder_that_cannot_be_written(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        prepare(dataset, tmp_path / "file" / "out", QUICK)


def test_a_real_face_is_found_by_a_detector(tmp_path: Path, photo: np.ndarray) -> None:
    """The bundled photo's face at FER+'s size; a patch without a face falls back to the whole frame."""
    import cv2

    face = cv2.resize(to_gray(load(photo))[10:260, 110:340], (48, 48), interpolation=cv2.INTER_AREA)
    for name, picture in (("happiness/face.png", face), ("neutral/none.png", np.full((48, 48), 90, np.uint8))):
        (tmp_path / "data" / name).parent.mkdir(parents=True)
        assert cv2.imwrite(str(tmp_path / "data" / name), picture)
    dataset = read("mine", tmp_path / "data")
    done = prepare(dataset, tmp_path / "out", PrepareConfig("dlib", workers=1, quiet=True))
    by = dict(zip(done.cache.index["id"], done.cache.index["detector"], strict=True))
    assert by == {"happiness/face.png": "hog", "neutral/none.png": "frame"}
    assert done.report["detected_percent"] == 50.0
    assert "cnn_fallback_costs_milliseconds_a_face" in done.report["speed"]["processor"]
    size = done.cache.index.set_index("id").loc["happiness/face.png", "face_size"]
    assert 15 < size < 30


@pytest.mark.usefixtures("guessed")
def test_prepared_by_name_and_root(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module, "PrepareConfig", lambda _, **options: PrepareConfig(detector="hog", workers=1, **options)
    )
    cache = prepared(f"ferplus:{root}", tmp_path, quiet=True)
    assert len(cache.index) == FACES
    with pytest.raises(UsageError, match="NAME:ROOT"):
        prepared("ferplus", tmp_path)


@pytest.mark.parametrize("options", [{"detector": "haar"}, {"workers": -1}, {"limit": -1}], ids=lambda o: next(iter(o)))
def test_settings_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        PrepareConfig(**options)
