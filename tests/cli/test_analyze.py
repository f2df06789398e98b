import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mien.analyze.table import COLUMNS
from mien.assets import SAMPLE
from mien.cli import COMMANDS, main
from mien.face import images
from mien.types import AREAS, EMOTIONS


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one good photo and everything that can be wrong with one."""
    folder = tmp_path_factory.mktemp("photos")
    content = SAMPLE.read_bytes()
    (folder / "good.jpg").write_bytes(content)
    (folder / "text.jpg").write_text("this is a text\n")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "truncated.jpg").write_bytes(content[: len(content) // 2])
    png = io.BytesIO()
    Image.open(SAMPLE).save(png, "PNG")
    (folder / "truncated.png").write_bytes(png.getvalue()[: len(png.getvalue()) // 2])
    Image.new("RGB", (1, 1)).save(folder / "pixel.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)).save(folder / "faceless.png")
    return folder


@pytest.fixture
def mien(tiny_models: Path, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Runs a command; gives (exit code, standard output, standard error)."""

    def run(command: str, *args: object, models: bool = True) -> tuple[int, str, str]:
        more = ["--models", str(tiny_models)] if models and command == "analyze" else []
        code = main([command, *map(str, args), *more])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_sample_gives_a_table(mien) -> None:  # type: ignore[no-untyped-def]
    code, out, err = mien("analyze", "--sample")
    assert (code, err) == (0, "")
    assert out.startswith("astronaut.jpg: 512 x 512 pixels, 1 face\n")
    assert all(area.words in out for area in AREAS)


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [
        ("text.jpg", "not a picture", 3),
        ("empty.jpg", "the file is empty", 3),
        ("truncated.jpg", "truncated", 3),
        ("truncated.png", "truncated", 3),
        ("pixel.png", "no face found", 4),
        ("faceless.png", "no face found", 4),
        ("gone.jpg", "no such file", 3),
    ],
)
def test_bad_file_is_one_sentence_and_the_others_are_analysed(  # type: ignore[no-untyped-def]
    mien, files: Path, name: str, words: str, code: int
) -> None:
    got, out, err = mien("analyze", files / name, files / "good.jpg")
    assert got == code
    lines = err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"mien: {files / name}: ")
    assert words in lines[0]
    assert "good.jpg: 512 x 512 pixels, 1 face" in out


def test_unreadable_outweighs_faceless(mien, files: Path) -> None:  # type: ignore[no-untyped-def]
    code, _, err = mien("analyze", files / "pixel.png", files / "text.jpg", files / "good.jpg")
    assert code == 3
    assert len(err.splitlines()) == 2


def test_json_holds_every_picture_also_the_bad_ones(mien, files: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = mien("analyze", files / "good.jpg", files / "text.jpg", files / "pixel.png", "--json")
    good, text, pixel = json.loads(out)
    assert code == 3
    assert (good["status"], text["status"], pixel["status"]) == ("ok", "unreadable", "no face")
    assert good["faces"][0]["fused"]["emotion"] in [e.value for e in EMOTIONS]
    assert "not a picture" in text["message"]


def test_json_of_nothing_but_bad_files_is_still_json(mien, files: Path) -> None:  # type: ignore[no-untyped-def]
    _, out, _ = mien("analyze", files / "text.jpg", "--json")
    assert json.loads(out)[0]["faces"] == []


def test_csv_is_one_row_a_face(mien, files: Path) -> None:  # type: ignore[no-untyped-def]
    _, out, _ = mien("analyze", files / "good.jpg", files / "pixel.png", files / "empty.jpg", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == list(COLUMNS)
    assert [row["status"] for row in rows] == ["ok", "no face", "unreadable"]
    assert sum(float(rows[0][e.value]) for e in EMOTIONS) == pytest.approx(1, abs=1e-4)
    assert rows[1]["emotion"] == rows[1]["happiness"] == ""
    assert "empty" in rows[2]["notes"]


@pytest.mark.parametrize("suffix", [".json", ".csv", ".parquet"])
def test_out_writes_by_its_ending_beside_the_table(mien, files: Path, tmp_path: Path, suffix: str) -> None:  # type: ignore[no-untyped-def]
    target = tmp_path / f"answers{suffix}"
    code, out, _ = mien("analyze", files / "good.jpg", files / "pixel.png", "--out", target)
    assert code == 4
    assert "1 face" in out
    if suffix == ".json":
        assert [p["status"] for p in json.loads(target.read_text())] == ["ok", "no face"]
    else:
        table = pd.read_csv(target) if suffix == ".csv" else pd.read_parquet(target)
        assert list(table.columns) == list(COLUMNS)
        assert table["status"].tolist() == ["ok", "no face"]


def test_csv_parquet_and_json_agree(mien, files: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for suffix in ("json", "csv", "parquet"):
        mien("analyze", files / "good.jpg", "--quiet", "--out", tmp_path / f"a.{suffix}")
    one, two = pd.read_csv(tmp_path / "a.csv"), pd.read_parquet(tmp_path / "a.parquet")
    fused = json.loads((tmp_path / "a.json").read_text())[0]["faces"][0]["fused"]
    for emotion in EMOTIONS:
        assert one[emotion.value][0] == two[emotion.value][0] == fused["probabilities"][emotion.value]


def test_area_is_taken_as_visible(mien, files: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = mien("analyze", files / "good.jpg", "--area", "mouth", "--area", "nose", "--json")
    face = json.loads(out)[0]["faces"][0]
    assert code == 0
    assert face["visibility"] == {
        "visible": ["nose", "mouth"], "probability": {"eyes": 0.0, "nose": 1.0, "mouth": 1.0}, "given": True,
        "hidden": {}, "hidden_pieces": [],
    }  # fmt: skip
    assert face["fused"]["area"] == "nose_mouth"
    assert "eyes" in face["hidden_areas"]


def test_pictures_are_drawn(mien, files: Path, tmp_path: Path, photo: np.ndarray) -> None:  # type: ignore[no-untyped-def]
    drawn, heat = tmp_path / "drawn.png", tmp_path / "heat.jpg"
    code, _, _ = mien("analyze", files / "good.jpg", "--save-image", drawn, "--heatmap", heat)
    assert code == 0
    assert images.load(drawn).shape[0] >= 512
    changed = np.abs(images.load(heat).astype(int) - photo).mean()
    assert 1 < changed < 60


def test_several_pictures_are_drawn_into_a_folder(mien, files: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    mien("analyze", files / "good.jpg", files / "text.jpg", files / "good.jpg", "--save-image", tmp_path / "drawn")
    assert sorted(p.name for p in (tmp_path / "drawn").iterdir()) == ["001-good.png", "003-good.png"]
    code, _, err = mien("analyze", files / "good.jpg", files / "good.jpg", "--save-image", tmp_path / "x.png")
    assert code == 2
    assert "name a folder" in err


def test_quiet_prints_nothing_but_errors(mien, files: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, err = mien("analyze", files / "good.jpg", files / "text.jpg", "--quiet")
    assert (code, out) == (3, "")
    assert len(err.splitlines()) == 1


def test_prediction_sets_and_abstention(mien, files: Path) -> None:  # type: ignore[no-untyped-def]
    _, out, _ = mien("analyze", files / "good.jpg", "--coverage", "0.9", "--min-p-correct", "0.9999")
    assert "Possible: " in out
    assert "no answer" in out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "at least one photo"),
        (["--sample", "--area", "chin"], "no area is called 'chin'"),
        (["--sample", "--coverage", "3"], "coverage"),
        (["--sample", "--min-p-correct", "3"], "min_p_correct"),
        (["--sample", "--out", "x.xlsx"], "ends with .json, .csv or .parquet"),
        (["--sample", "--save-image", "a.png", "--heatmap", "a.png"], "same place"),
    ],
)
def test_wrong_calls_are_one_sentence(mien, args: list[str], words: str) -> None:  # type: ignore[no-untyped-def]
    code, out, err = mien("analyze", *args)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("args", [["analyze", "--detector", "yolo"], ["fly"], ["analyze", "--json", "--csv", "a.jpg"]])
def test_argparse_errors_keep_exit_code_2(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(args)
    assert stop.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_places_that_cannot_be_written(mien, files: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for option, target in (("--out", "no/such/a.csv"), ("--save-image", "no/such/a.png"), ("--save-image", "a.xyz")):
        code, _, err = mien("analyze", files / "good.jpg", option, tmp_path / target)
        assert code == 3
        assert len(err.splitlines()) == 1


def test_missing_models(mien, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, _, err = mien("analyze", "--sample", "--models", tmp_path, models=False)
    assert code == 6
    assert "manifest.json" in err


def test_parquet_without_pyarrow_says_how_to_get_it(mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    code, _, err = mien("analyze", "--sample", "--out", tmp_path / "a.parquet")
    assert code == 5
    assert "mien[parquet]" in err


def test_interruption_keeps_what_is_finished(mien, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    from mien.analyze.analyzer import Analyzer

    analyze, calls = Analyzer.analyze, []

    def second_is_interrupted(self: Analyzer, *args: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return analyze(self, *args, **options)

    monkeypatch.setattr(Analyzer, "analyze", second_is_interrupted)
    code, out, err = mien("analyze", files / "good.jpg", files / "good.jpg", files / "good.jpg", "--json")
    assert code == 130
    assert len(json.loads(out)) == 1
    assert "interrupted" in err


def test_picture_from_standard_input(mien, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    class Stdin:
        buffer = io.BytesIO(SAMPLE.read_bytes())

    monkeypatch.setattr("sys.stdin", Stdin)
    code, out, _ = mien("analyze", "-", "--json")
    assert code == 0
    assert json.loads(out)[0]["input"] == "standard input"


def test_a_folder_it_may_not_read(mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """Permission is really taken away, or, where the test runs as root, the system call is made to refuse."""
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "a.jpg").write_bytes(SAMPLE.read_bytes())
    if os.geteuid() == 0:
        scan, listing = os.scandir, os.listdir

        def refuse(call):  # type: ignore[no-untyped-def]
            def guarded(path: object = ".") -> object:
                if str(path).startswith(str(closed)):
                    raise PermissionError(13, "Permission denied", str(path))
                return call(path)

            return guarded

        monkeypatch.setattr(os, "scandir", refuse(scan))
        monkeypatch.setattr(os, "listdir", refuse(listing))
    else:
        closed.chmod(0)
    code, _, err = mien("analyze", closed, SAMPLE, "--out", tmp_path / "t.csv")
    closed.chmod(0o755)
    assert code == 3
    assert len([line for line in err.splitlines() if str(closed) in line]) == 1
    assert "Traceback" not in err


def test_help_names_every_command_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)
    with pytest.raises(SystemExit):
        main(["analyze", "--help"])
    assert "exit codes" in capsys.readouterr().out


_EXTRAS = (
    "torch", "matplotlib", "sklearn", "scipy", "fastapi", "uvicorn", "multipart", "pyarrow", "tqdm", "jinja2", "av",
    "onnx", "safetensors", "pillow_heif",
)  # fmt: skip
_REFUSE = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {_EXTRAS}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Refuse())
from mien.cli import COMMANDS, main
"""
"""Only the base dependencies can be imported."""
_HELP_OF_ALL = """
for name in COMMANDS:
    try:
        main([name, "--help"])
    except SystemExit as stop:
        assert not stop.code, name
"""


def _without_extras(code: str, *args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _REFUSE + code, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_every_command_explains_itself_without_any_extra() -> None:
    done = _without_extras(_HELP_OF_ALL)
    assert done.returncode == 0, done.stderr
    assert [f"usage: mien {name}" in done.stdout for name in COMMANDS] == [True] * len(COMMANDS)


def test_analysing_needs_no_extra(tiny_models: Path) -> None:
    done = _without_extras("sys.exit(main())", "analyze", "--sample", "--csv", "--models", tiny_models)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("input,status,")


def test_training_without_torch_says_how_to_get_it(tmp_path: Path) -> None:
    done = _without_extras("sys.exit(main())", "train", "--cache", tmp_path)
    assert done.returncode == 5
    assert done.stderr.splitlines() == ["mien: mien train needs torch: install it with  pip install 'mien[train]'"]


def test_version_and_bare_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip().count(".") == 2
    assert main([]) == 2


def _process(*args: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import sys; from mien.cli import main; sys.exit(main())", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)  # type: ignore[call-overload,no-any-return]


def test_c_libraries_stay_quiet_in_a_real_process(files: Path, tiny_models: Path) -> None:
    """libpng and OpenCV write to file descriptor 2 themselves; only mien's sentence may arrive."""
    done = _process("analyze", files / "truncated.png", "--models", tiny_models)
    assert done.returncode == 3
    assert done.stderr.splitlines() == [f"mien: {files / 'truncated.png'}: the PNG is truncated or damaged"]


def test_analysing_imports_nothing_heavy(tiny_models: Path) -> None:
    code = (
        "import sys; from mien.cli import main; main(sys.argv[1:]); "
        "print([m for m in ('torch', 'matplotlib', 'sklearn', 'scipy', 'fastapi', 'pandas', 'pyarrow') "
        "if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "analyze", "--sample", "--quiet", "--models", str(tiny_models)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stderr.strip() == "[]"


def test_closed_pipe_ends_quietly(tiny_models: Path) -> None:
    code = "import sys; from mien.cli import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", code, "analyze", "--sample", "--csv", "--models", str(tiny_models)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read().decode()
        process.wait(120)
    assert "Traceback" not in err
    assert "BrokenPipe" not in err


def test_a_device_that_is_not_here_is_said_in_one_sentence(
    tiny_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", str(SAMPLE), "--models", str(tiny_models), "--device", "directml", "--json"]) == 0
    said = capsys.readouterr()
    assert said.err.count("working on the cpu") == 1
    assert json.loads(said.out)[0]["provenance"]["device"] == "cpu"
