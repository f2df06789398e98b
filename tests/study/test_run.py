"""The study: its plan, its resumable steps, its command, and one whole run that is opened in a real browser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from builders.faces import draw, landmarks_of, make_cache
from mien.cli import main
from mien.data.cache import FaceCache
from mien.errors import DatasetError, UsageError
from mien.face.crops import canvas_of, cut
from mien.face.spec import CropSpec
from mien.jobs.steps import Step, StepLog, do_all
from mien.measure.predictions import labels_of, logits_of
from mien.study import PRESETS, Study, StudyConfig, cpu_configs
from mien.study.cost import Speeds, core_seconds_spent
from mien.study.plan import (
    CROP_SPECS,
    CROP_STAGES,
    changes,
    cpu_runs,
    cpu_visualisations,
    default_runs,
    paper_runs,
    quick_runs,
)
from mien.study.trainings import DataSet, faces_hash, faces_of, finish, runs_folder, write_predictions
from mien.train.config import TrainConfig, epochs_of, paper_config
from mien.types import AREAS, EMOTIONS, Area

MEASURED = {
    ("vgg", 32): 490.0, ("vgg", 48): 247.0, ("vgg", 64): 144.0, ("anyarea", 32): 490.0, ("anyarea", 64): 144.0,
    ("densenet", 32): 99.0, ("densenet", 48): 46.0, ("densenet", 64): 22.0,
}  # fmt: skip
"""Training images a second on the two cores of the project's machine with nothing else running (docs/study.md)."""
FERPLUS_TRAINING_FACES = 27_241
REPOSITORY = Path(__file__).parents[2]
AXE = Path(__file__).parents[1] / "vendor" / "axe-core" / "axe.min.js"


def silent(text: str) -> None:
    """Nothing is said."""


# --- the plan ----------------------------------------------------------------------------------------------------


def test_the_cpu_plan_comes_in_order_of_priority() -> None:
    runs = cpu_runs()
    names = [run.config.name for run in runs]
    assert len(names) == len(set(names)) == len(cpu_configs())
    _, late = cpu_visualisations()
    kinds = ["crops" if run.role == "crops" else f"seed {run.config.seed}" for run in runs if run.config != late]
    assert kinds == sorted(kinds, key=["seed 0", "crops", "seed 1", "seed 2"].index)
    first = [run.config.area for run in runs if run.role == "areas" and run.config.seed == 0]
    assert sorted(first) == sorted(area.value for area in AREAS)
    assert [run.role for run in runs[:8]].count("areas") == 7
    assert runs[1].role == "visualisation"
    assert {run.config.seed for run in runs[-14:]} == {1, 2}
    assert {run.config.seed for run in runs if run.role == "crops"} == {0}


def test_the_cpu_plan_ends_at_64_pixels_and_fits_into_twelve_hours() -> None:
    speeds = Speeds(images=dict(MEASURED))
    seconds = sum(speeds.seconds(config, FERPLUS_TRAINING_FACES) for config in cpu_configs())
    assert seconds < 12 * 3600 * 0.9  # the rest is for preparation, predictions and the report
    halved = Speeds(images={key: speed / 2 for key, speed in MEASURED.items()})
    assert sum(halved.seconds(config, FERPLUS_TRAINING_FACES) for config in cpu_configs()) == pytest.approx(2 * seconds)
    assert seconds > 2 * 3600  # every training costs its epochs
    early, late = cpu_visualisations()
    assert late.start_from == early.name
    assert late.final_spec.size == 64
    assert late.balance > 0, "a heatmap of a rare emotion needs faces on which it is recognised"
    assert {early, late} <= set(cpu_configs())
    for config in [c for c in cpu_configs() if c not in (early, late)]:
        sides = [side for _, side in epochs_of(config.stages)]
        assert sides[-1] == 64
        assert sides.count(32) > len(sides) / 2


def test_the_cpu_plan_compares_crops_by_one_any_area_network_a_spec() -> None:
    crops = [run.config for run in cpu_runs() if run.role == "crops"]
    assert {(config.network, config.stages) for config in crops} == {("anyarea", CROP_STAGES)}
    ways = (("box", "one"), ("hull", "one"), ("box", "both"), ("hull", "both"))
    assert [c.spec for c in crops] == [CropSpec(m, e, padded=p).key for m, e in ways for p in (True, False)]
    assert all(config.areas == AREAS for config in crops)


def test_both_arms_of_the_padding_comparison_share_one_schedule_and_every_area() -> None:
    crops = [run.config for run in default_runs() if run.role == "crops"]
    assert len({config.stages for config in crops}) == 1
    for key in ("box-one-padded-64-face44", "box-one-cut-64-face44"):
        assert sorted(c.area for c in crops if c.spec == key) == sorted(area.value for area in AREAS)


def test_a_configuration_keeps_its_name_on_disk() -> None:
    for run in [*cpu_runs(), *paper_runs(), *default_runs(), *quick_runs()]:
        again = TrainConfig.from_dict(json.loads(json.dumps(run.config.to_dict())))
        assert again.name == run.config.name


def test_a_crop_is_trained_only_where_the_spec_changes_it() -> None:
    """``changes`` agrees with the pixels: False exactly where the one-eye spec of the same mask cuts the same crop."""
    generator = np.random.default_rng(0)
    canvas = canvas_of(*draw(landmarks_of(EMOTIONS[1], generator), generator))
    for spec in CROP_SPECS:
        for area in AREAS:
            plain = cut(canvas, area, replace(spec, eyes="one"))
            differs = bool((cut(canvas, area, spec) != plain).any()) or spec.eyes == "one"
            assert changes(area, spec) == differs, (area, spec.key)


def test_the_paper_preset_is_the_published_protocol_to_the_letter() -> None:
    runs = paper_runs()
    main_runs = [run.config for run in runs if run.role == "areas"]
    assert sorted((config.seed, config.area) for config in main_runs) == sorted(product(range(5), AREAS))
    assert all(config == paper_config("vgg", Area(config.area), config.seed) for config in main_runs)
    assert {(c.optimizer, c.rate, c.schedule, c.target, c.select_on, c.keep) for c in main_runs} == {
        ("adam", 0.05, "plateau", "label", "test", "best")
    }
    assert all(len(epochs_of(c.stages)) == 100 and c.stages[-1][1] == 64 for c in main_runs)
    assert PRESETS["paper"].best_run
    assert PRESETS["paper"].select_on == "test"
    assert not any(preset.best_run or preset.select_on == "test" for n, preset in PRESETS.items() if n != "paper")


# --- steps -------------------------------------------------------------------------------------------------------


def step(path: Path, work: Callable[[], object], inputs: object = None) -> Step:
    def run(say: Callable[[str], None]) -> bool:
        work()
        path.write_text("done")
        return True

    return Step(path.name, lambda: (path,), run, lambda: 1.0, None if inputs is None else lambda: inputs)


def test_a_finished_step_is_not_done_again_until_its_inputs_change(tmp_path: Path) -> None:
    counted: list[int] = []
    for inputs, expected in ((["a"], 1), (["a"], 1), (["b"], 2), (["a"], 3)):
        do_all([step(tmp_path / "x", lambda: counted.append(1), inputs)], StepLog.open(tmp_path), silent)
        assert len(counted) == expected
    (tmp_path / "x").unlink()
    do_all([step(tmp_path / "x", lambda: counted.append(1), ["a"])], StepLog.open(tmp_path), silent)
    assert len(counted) == 4


def test_an_error_keeps_the_steps_before_it(tmp_path: Path) -> None:
    done: list[str] = []

    def fail() -> None:
        raise RuntimeError("power cut")

    steps = [step(tmp_path / "a", lambda: done.append("a"), 1), step(tmp_path / "b", fail, 1)]
    with pytest.raises(RuntimeError):
        do_all(steps, StepLog.open(tmp_path), silent)
    steps[1] = step(tmp_path / "b", lambda: done.append("b"), 1)
    assert do_all(steps, StepLog.open(tmp_path), silent) == 1
    assert done == ["a", "b"]


def test_a_log_whose_last_line_was_cut_short_is_read_and_written_on(tmp_path: Path) -> None:
    do_all([step(tmp_path / name, list, 1) for name in ("a", "b")], StepLog.open(tmp_path), silent)
    file = tmp_path / "steps.jsonl"
    file.write_bytes(file.read_bytes()[:-15])
    log = StepLog.open(tmp_path)
    assert set(log.done) == {"a"}
    assert do_all([step(tmp_path / name, list, 1) for name in ("a", "b")], log, silent) == 1
    assert set(StepLog.open(tmp_path).done) == {"a", "b"}


def test_a_step_that_must_wait_comes_again_after_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.jobs.steps.WAIT_SECONDS", 0.0)
    order: list[str] = []
    turns = iter([False, True])

    def busy(say: Callable[[str], None]) -> bool:
        ready = next(turns)
        order.append("busy" if not ready else "ready")
        if ready:
            (tmp_path / "first").write_text("done")
        return ready

    steps = [
        Step("first", lambda: (tmp_path / "first",), busy, lambda: 1.0),
        step(tmp_path / "second", lambda: order.append("second")),
    ]
    do_all(steps, StepLog.open(tmp_path), silent)
    assert order == ["busy", "second", "ready"]


def test_progress_names_the_step_and_the_time_that_is_left(tmp_path: Path) -> None:
    said: list[str] = []

    def run(say: Callable[[str], None]) -> bool:
        say("half done")
        (tmp_path / "x").write_text("done")
        return True

    steps = [Step("x", lambda: (tmp_path / "x",), run, lambda: 90.0), step(tmp_path / "y", list)]
    do_all(steps, StepLog.open(tmp_path), said.append)
    assert said == ["[1/2] x: half done; 1 min 31 s left"]


# --- data sets ---------------------------------------------------------------------------------------------------


def test_trainings_of_other_faces_never_share_a_folder(tmp_path: Path) -> None:
    one = FaceCache.open(make_cache(tmp_path / "one", 48, seed=0))
    data = DataSet.of_cache(one, tmp_path / "runs")
    assert data.runs == tmp_path / "runs" / "drawn"
    moved = faces_of(one.index)
    moved.loc[0, "split"] = "test"
    assert runs_folder("drawn", moved, tmp_path / "runs") == tmp_path / "runs" / f"drawn-{faces_hash(moved)}"
    assert runs_folder("drawn", faces_of(one.index), tmp_path / "runs") == data.runs
    shuffled = faces_of(one.index).sample(frac=1, random_state=0)
    assert faces_hash(shuffled) == faces_hash(faces_of(one.index))


def test_ferplus_trainings_lie_where_the_shipped_models_trainings_lie(tmp_path: Path) -> None:
    faces = faces_of(FaceCache.open(make_cache(tmp_path / "cache", 48, dataset="ferplus")).index)
    assert runs_folder("ferplus", faces, tmp_path / "runs") == tmp_path / "runs"


def test_training_faces_follow_the_protocol(tmp_path: Path) -> None:
    data = DataSet.of_cache(FaceCache.open(make_cache(tmp_path / "cache", 96)), tmp_path / "runs")
    train, validation = data.count("train"), data.count("validation")
    assert data.training_faces(TrainConfig()) == train
    assert data.training_faces(TrainConfig(limit=10)) == 10
    assert data.training_faces(paper_config("vgg", Area.MOUTH, 0)) == train + validation


def test_a_study_without_data_or_with_one_name_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs data"):
        Study(StudyConfig((), tmp_path))
    cache = FaceCache.open(make_cache(tmp_path / "cache", 48))
    with pytest.raises(UsageError, match="one name"):
        Study(StudyConfig((cache, cache), tmp_path, runs=tmp_path / "runs"))
    with pytest.raises(UsageError, match="choose from paper, default, cpu, quick"):
        Study(StudyConfig((cache,), tmp_path, "slow", tmp_path / "runs"))


# --- the command -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """320 drawn faces, more than 100 of them for validation: enough to fit authenticity."""
    return make_cache(tmp_path_factory.mktemp("study") / "cache", 336)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "give --data NAME:ROOT or --cache DIR"),
        (["--data", "ferplus"], 2, "NAME:ROOT"),
        (["--cache", "/nowhere"], 3, "not a complete cache"),
        (["--data", "ferplus:/nowhere"], 3, "/nowhere"),
    ],
)
def test_a_wrong_call_is_one_sentence(
    arguments: list[str], code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", *arguments, "--out", str(tmp_path / "out"), "--runs", str(tmp_path / "runs")]) == code
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_missing_library_is_named_with_its_install_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.cli.study.NEEDED", ("no_such_library",))
    assert main(["study", "--cache", "anywhere"]) == 5
    assert "pip install 'mien[study]'" in capsys.readouterr().err


def test_a_dry_run_prints_every_training_with_its_cost_and_does_nothing(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.study.cost._timed", lambda network, side, training=True: MEASURED[network, side])
    arguments = ["study", "--cache", str(cache), "--preset", "cpu", "--dry-run"]
    assert main([*arguments, "--out", str(tmp_path / "out"), "--runs", str(tmp_path / "runs")]) == 0
    plan = capsys.readouterr().out
    for config in cpu_configs():
        assert config.name in plan
    assert "vgg at 64 px: 144 training images/s (timed training steps)" in plan
    assert f"{len(cpu_configs())} trainings:" in plan
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "runs").glob("*/*/curve.csv"))


def test_a_dry_run_needs_no_prepared_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.study.cost._timed", lambda network, side, training=True: MEASURED[network, side])
    monkeypatch.setattr("mien.study.cost.detect_one", lambda gray, detector: None)
    generator = np.random.default_rng(0)
    for emotion in EMOTIONS[:2]:
        for i in range(20):
            file = tmp_path / "faces" / emotion.value / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), draw(landmarks_of(emotion, generator), generator)[0])
    places = ["--out", str(tmp_path / "out"), "--runs", str(tmp_path / "runs"), "--caches", str(tmp_path / "caches")]
    assert main(["study", "--data", f"mine:{tmp_path / 'faces'}", "--preset", "quick", "--dry-run", *places]) == 0
    plan = capsys.readouterr().out
    assert "mine: prepare 40 faces" in plan
    assert "not begun" in plan
    assert not (tmp_path / "caches").exists()


def test_a_planned_data_set_has_no_cache(tmp_path: Path) -> None:
    faces = faces_of(FaceCache.open(make_cache(tmp_path / "cache", 48)).index)
    with pytest.raises(DatasetError, match="not prepared yet"):
        DataSet("drawn", faces, tmp_path).cache  # noqa: B018


def test_speeds_come_from_finished_epochs_where_there_are_any(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.study.cost._timed", lambda network, side, training=True: 1.0)
    data = DataSet.of_cache(FaceCache.open(cache), tmp_path)
    config = TrainConfig(stages=((3.0, 32), (1.0, 64)))
    folder = data.folder(config)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    rows = [{"epoch": e, "side": 32, "share": 1.0, "seconds": s} for e, s in ((1, 20.0), (2, 10.0), (3, 8.0))]
    pd.DataFrame(rows).to_csv(folder / "curve.csv", index=False)
    speeds = Speeds.of([config], [data])
    assert speeds.images["vgg", 32] == pytest.approx(data.count("train") / 10)
    assert speeds.source["vgg", 32] == "median of 3 finished epochs"
    assert speeds.images["vgg", 64] == 1.0
    pd.DataFrame([row | {"threads": 1} for row in rows]).to_csv(folder / "curve.csv", index=False)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert Speeds.of([config], [data]).images["vgg", 32] == pytest.approx(4 * data.count("train") / 10)
    assert core_seconds_spent(folder) == 38.0
    pd.DataFrame(rows).to_csv(folder / "curve.csv", index=False)
    assert core_seconds_spent(folder) == 4 * 38.0


def test_every_stage_is_predicted_and_the_watched_split_chooses_one(cache: Path, tmp_path: Path) -> None:
    data = DataSet.of_cache(FaceCache.open(cache), tmp_path)
    config = TrainConfig(area="mouth", stages=((1.0, 32), (1.0, 16)), batch=16, limit=48)
    assert finish(data, config, silent)
    write_predictions(data, config)
    table = pd.read_parquet(data.predictions_file(config))
    assert set(table["side"]) == {16, 32}
    assert table.loc[table["chosen"], "side"].nunique() == 1
    curve = pd.read_csv(data.folder(config) / "curve.csv").set_index("side")["validation_accuracy"]
    best = curve[curve == curve.max()].index[-1]
    assert set(table.loc[table["chosen"], "side"]) == {best}
    of_best = table[(table["side"] == best) & (table["split"] == "validation") & table["published"]]
    right = (logits_of(of_best).argmax(axis=1) == labels_of(of_best)).mean()
    assert right == pytest.approx(curve.max(), abs=1e-3)


# --- killed and resumed --------------------------------------------------------------------------------------------

SMALL = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
torch.set_num_threads(1)
from mien.study import presets
from mien.study.plan import PlannedRun, quick_runs
runs = [PlannedRun(r.role, replace(r.config, stages=((4.0, 32),), limit=64)) for r in quick_runs()[:1]]
presets.PRESETS["quick"] = replace(presets.PRESETS["quick"], runs=lambda: runs)
import mien.study.run
mien.study.run.write_report = lambda evidences, setting, out: (out / "report.html").write_text("not the point here")
from mien.cli import main
sys.exit(main(["study", *sys.argv[1:]]))
"""
"""The command with one training of four epochs as its plan."""


def start(cache: Path, place: Path) -> subprocess.Popen[str]:
    arguments = ["--cache", str(cache), "--preset", "quick", "--out", str(place / "out"), "--runs", str(place / "runs")]
    return subprocess.Popen(
        [sys.executable, "-c", SMALL, *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, cwd=REPOSITORY,
    )  # fmt: skip


def wait_for(pattern: str, place: Path, process: subprocess.Popen[str], least: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        lines = [len(file.read_text().splitlines()) for file in place.glob(pattern)]
        if lines and max(lines) >= least:
            return
        time.sleep(0.02)


@pytest.mark.slow
def test_killed_at_any_point_the_same_command_goes_on_and_loses_at_most_one_epoch(cache: Path, tmp_path: Path) -> None:
    whole = start(cache, tmp_path / "whole")
    for number, least in ((signal.SIGKILL, 2), (signal.SIGINT, 4)):  # after the first epoch, and after the third
        process = start(cache, tmp_path / "killed")
        wait_for("killed/runs/drawn/*/curve.csv", tmp_path, process, least)
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
        if process.returncode == 130:
            assert error.strip().splitlines()[-1].startswith("mien: stopped; finished steps and epochs are kept")
            assert "Traceback" not in error
    last = start(cache, tmp_path / "killed")
    for process in (whole, last):
        out, error = process.communicate(timeout=200)
        assert process.returncode == 0, error
        assert out.strip().endswith("report.html")
    curves = [
        pd.read_csv(next((tmp_path / name / "runs" / "drawn").glob("*/curve.csv"))) for name in ("whole", "killed")
    ]
    assert list(curves[1]["epoch"]) == [1, 2, 3, 4]
    pd.testing.assert_frame_equal(*(curve.drop(columns="seconds") for curve in curves))
    weights = [load_file(next((tmp_path / name).rglob("model.safetensors"))) for name in ("whole", "killed")]
    assert all(np.array_equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert not list(tmp_path.rglob("*.tmp*"))


# --- one whole run, in a browser ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def studied(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of ``mien study --preset quick`` on the drawn faces."""
    place = tmp_path_factory.mktemp("quick")
    arguments = ["--cache", str(cache), "--preset", "quick", "--out", str(place / "out"), "--runs", str(place / "runs")]
    assert main(["study", *arguments, "--quiet"]) == 0
    return place / "out"


EXPECTED = (
    "table-a", "fig-a", "table-1-ferplus", "table-2-rafdb", "table-3-expw", "table-3b-drawn", "table-4-drawn",
    "fig-4-drawn", "table-5-drawn", "table-6-drawn", "fig-5a-drawn", "fig-5b-drawn", "fig-6-drawn", "fig-7-drawn",
    "table-b-drawn", "table-c-drawn", "table-d-drawn", "table-e-drawn", "table-i-drawn", "fig-b-drawn", "fig-c-drawn",
    "table-j-drawn", "table-k-drawn", "fig-d-drawn", "table-l-drawn", "fig-e-drawn", "table-m-drawn", "fig-f-drawn",
    "table-n-drawn", "table-o-drawn", "table-r-drawn", "fig-g-drawn",
)  # fmt: skip
"""Every table and figure of the paper and beyond it that preset quick can fill."""
NOT_IN_QUICK = ("table-f-drawn", "table-g-drawn", "table-h-drawn")


@pytest.mark.slow
def test_a_whole_study_writes_every_table_and_figure(studied: Path, cache: Path) -> None:
    tables = {path.stem for path in (studied / "results").glob("*.csv")}
    assert tables == set(EXPECTED)
    assert {path.stem for path in (studied / "figures").iterdir()} == {e for e in EXPECTED if e.startswith("fig-")}
    settings = json.loads((studied / "settings.json").read_text())
    assert settings["command"].startswith(f"mien study --cache .../{cache.name} --preset quick")
    assert {t["run"] for t in settings["trainings"]} == {run.config.name for run in quick_runs()}
    heatmaps = pd.read_csv(studied / "results" / "table-j-drawn.csv")
    np.testing.assert_allclose(heatmaps.groupby("emotion")["mass"].sum(), 1.0, atol=1e-4)


@pytest.mark.slow
def test_a_second_call_does_nothing_and_a_new_result_makes_a_new_report(
    studied: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (studied / "report.html").stat().st_mtime_ns
    place = studied.parent
    arguments = ["study", "--cache", str(cache), "--preset", "quick", "--out", str(studied)]
    assert main([*arguments, "--runs", str(place / "runs")]) == 0
    assert (studied / "report.html").stat().st_mtime_ns == before
    assert "everything was done before" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.browser
def test_a_real_browser_finds_every_table_and_figure(studied: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = Path("/usr/bin/chromium")
    if not chromium.exists():
        pytest.skip("Chromium is not installed")
    problems: list[str] = []
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=str(chromium))
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("request", lambda r: problems.append(r.url[:80]) if not r.url.startswith(("file:", "data:")) else None)
        page.goto((studied / "report.html").as_uri())
        found = page.evaluate(FIND)
        page.evaluate(AXE.read_text("utf-8"))
        violations = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        browser.close()
    assert [v["id"] for v in violations if v["impact"] in ("serious", "critical")] == []
    assert not problems
    for name in set(EXPECTED) - {"table-a", "fig-a"}:  # drawn by the page itself: tests/study/test_page.py
        kind, content = found["exhibits"][name]
        if kind == "table":
            assert content >= 2, f"{name} has no rows"
        else:
            assert content > 100, f"{name} is not drawn"
    assert [found["exhibits"][name] for name in NOT_IN_QUICK] == [["missing", 0]] * 3
    assert set(found["exhibits"]) == {*EXPECTED, *NOT_IN_QUICK} - {"table-a"}
    assert found["broken"] == []
    assert found["width"] <= 390, "the page is wider than a phone"


FIND = """() => {
  const exhibits = {};
  for (const figure of document.querySelectorAll('figure')) {
    const image = figure.querySelector('img'), rows = figure.querySelectorAll('tbody tr');
    exhibits[figure.id] = figure.querySelector('.missing') ? ['missing', 0]
      : image ? ['figure', image.naturalWidth] : ['table', rows.length];
  }
  const targets = [...document.querySelectorAll('a[href^="#"]')].map(a => a.getAttribute('href').slice(1));
  const broken = targets.filter(id => !document.getElementById(id));
  return {exhibits, broken, width: document.documentElement.scrollWidth};
}"""
"""Every exhibit's kind with its number of rows or its picture's width; links that lead nowhere; width of the page."""
