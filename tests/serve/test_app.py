"""The HTTP API: same answers as the command line, limits as typed errors, nothing stored, nothing from elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import httpx2 as httpx
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from fastapi.testclient import TestClient

from mien import cli
from mien.analyze.analyzer import Analyzer
from mien.assets import SAMPLE
from mien.errors import ImageError, UsageError
from mien.serve import ServeSettings
from mien.serve.app import WEB, create_app
from mien.serve.pool import WorkerPool
from mien.serve.problems import AnalysisTimeoutError, BusyError
from mien.serve.settings import RESTING_MEMORY
from mien.types import AREAS, UInt8

HOME = "http://127.0.0.1:8765"
TOKEN = "0123456789abcdef"
SMALL = ServeSettings(upload_bytes=200_000, pixels=300_000)


def client_of(models: Path, settings: ServeSettings = SMALL) -> TestClient:
    return TestClient(create_app(settings, Analyzer(models)), base_url=HOME, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def client(tiny_models: Path) -> Iterator[TestClient]:
    with client_of(tiny_models) as client:
        yield client


@pytest.fixture(scope="module")
def guarded(tiny_models: Path) -> Iterator[TestClient]:
    with client_of(tiny_models, ServeSettings(host="0.0.0.0", token=TOKEN)) as client:
        yield client


def error_of(response: httpx.Response) -> tuple[int, str]:
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"type", "message"}
    assert "Traceback" not in body["error"]["message"]
    return response.status_code, body["error"]["type"]


def jpeg(pixels: UInt8) -> bytes:
    return bytes(cv2.imencode(".jpg", pixels[..., ::-1])[1])


def undated(picture: dict[str, Any]) -> dict[str, Any]:
    """Without the time at which it was answered."""
    return picture | {"provenance": {k: v for k, v in picture["provenance"].items() if k != "date"}}


def test_gives_the_same_json_as_the_command_line(
    client: TestClient, tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(SAMPLE.read_bytes())
    assert cli.main(["analyze", str(photo), "--json", "--models", str(tiny_models)]) == 0
    printed = json.loads(capsys.readouterr().out)[0]
    raw = client.post("/api/analyze", params={"input": str(photo)}, content=SAMPLE.read_bytes())
    assert raw.status_code == 200
    answered = raw.json()
    for one in (answered, printed):
        assert one["provenance"].pop("date")
    assert answered == printed
    form = client.post("/api/analyze", params={"input": str(photo)}, files={"image": ("a.jpg", SAMPLE.read_bytes())})
    filled_in = form.json()
    assert filled_in["provenance"].pop("date")
    assert filled_in == printed


def test_what_if_is_the_answer_for_these_parts(client: TestClient, tiny_models: Path) -> None:
    face = client.post("/api/analyze", params={"what_if": True}, content=SAMPLE.read_bytes()).json()["faces"][0]
    assert set(face["what_if"]) == {area.value for area in AREAS}
    for area in AREAS:
        wanted = Analyzer(tiny_models, area=area).analyze(SAMPLE)[0]
        assert wanted.fused is not None
        given = face["what_if"][area.value]
        assert given["fused"] == wanted.fused.to_dict()
        assert given["contributions"] == pytest.approx({p.value: v for p, v in wanted.contributions.items()})
        assert given["words"].startswith("right ")


def test_heatmap_is_a_picture_in_its_box(client: TestClient, tiny_models: Path) -> None:
    face = client.post("/api/analyze", params={"heatmap": True}, content=SAMPLE.read_bytes()).json()["faces"][0]
    wanted = Analyzer(tiny_models, heatmap=True).analyze(SAMPLE)[0].heatmap
    assert wanted is not None
    assert face["heatmap"]["emotion"] == wanted.emotion.value
    assert face["heatmap"]["box"] == [float(v) for v in wanted.box]
    assert face["heatmap"]["png"].startswith("data:image/png;base64,")


def test_a_picture_without_a_face_is_an_answer(client: TestClient) -> None:
    answer = client.post("/api/analyze", content=jpeg(np.full((300, 300, 3), 120, np.uint8)))
    assert answer.status_code == 200
    assert answer.json()["status"] == "no face"
    assert answer.json()["faces"] == []


def test_area_and_detector_are_options(client: TestClient) -> None:
    answer = client.post(
        "/api/analyze", params={"area": ["eyes", "nose"], "detector": "hog"}, content=SAMPLE.read_bytes()
    )
    face = answer.json()["faces"][0]
    assert face["visibility"]["visible"] == ["eyes", "nose"]
    assert face["visibility"]["given"]
    assert face["face"]["detector"] == "hog"


@pytest.mark.parametrize(
    ("params", "content", "wanted"),
    [
        ({}, b"hello", (422, "ImageError")),
        ({}, b"", (400, "UsageError")),
        ({}, SAMPLE.read_bytes()[:5000], (422, "ImageError")),
        ({}, b"x" * 200_001, (413, "UploadTooLargeError")),
        ({"area": "chin"}, SAMPLE.read_bytes(), (400, "UsageError")),
        ({"detector": "magic"}, SAMPLE.read_bytes(), (400, "UsageError")),
        ({"input": "x" * 500}, SAMPLE.read_bytes(), (400, "UsageError")),
    ],
)
def test_bad_input_is_a_typed_error(
    client: TestClient, params: dict[str, str], content: bytes, wanted: tuple[int, str]
) -> None:
    assert error_of(client.post("/api/analyze", params=params, content=content)) == wanted


def test_too_many_pixels_are_refused_before_decoding(client: TestClient) -> None:
    wide = bytes(cv2.imencode(".png", np.zeros((600, 600, 3), np.uint8))[1])
    assert len(wide) < SMALL.upload_bytes
    assert error_of(client.post("/api/analyze", content=wide)) == (422, "ImageError")


def test_a_body_of_unknown_length_is_cut_off(client: TestClient) -> None:
    sent = 0

    def stream() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 10_000
            yield b"x" * 10_000

    assert error_of(client.post("/api/analyze", content=stream())) == (413, "UploadTooLargeError")


def test_broken_forms(client: TestClient) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    for body in (b"--b\r\nnonsense", b"", b"--b--\r\n"):
        assert error_of(client.post("/api/analyze", content=body, headers=kind))[0] == 400
    no_boundary = {"Content-Type": "multipart/form-data"}
    assert error_of(client.post("/api/analyze", content=b"x", headers=no_boundary)) == (400, "UsageError")
    assert error_of(client.post("/api/analyze", files={"other": b"x"})) == (400, "UsageError")
    assert error_of(client.post("/api/analyze", files={"image": b"x" * 200_001})) == (413, "UploadTooLargeError")


def test_no_temporary_file_is_made(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = np.random.default_rng(0).integers(0, 255, (900, 900, 3)).astype(np.uint8)
    body = bytes(cv2.imencode(".png", large)[1])
    assert len(body) > 2_000_000  # beyond what Starlette keeps in memory of its own accord

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file was made")

    with client_of(tiny_models, ServeSettings()) as client:
        monkeypatch.setattr("tempfile.TemporaryFile", refuse)
        monkeypatch.setattr("tempfile._TemporaryFileWrapper", refuse)
        assert client.post("/api/analyze", params={"detector": "hog"}, files={"image": body}).status_code == 200


def test_a_slow_upload_is_given_up(tiny_models: Path) -> None:
    app = create_app(ServeSettings(upload_seconds=0.05), Analyzer(tiny_models))

    async def stream() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(5)
        yield b"x"

    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME) as client:
            return await client.post("/api/analyze", content=stream())

    assert error_of(asyncio.run(call())) == (408, "UploadTimeoutError")


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def die(_: float) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def explode(_: object) -> None:
    raise RuntimeError("a secret path")


def test_desk_refuses_when_full_and_frees_places() -> None:
    pool = WorkerPool(ServeSettings(concurrency=1, waiting=1))

    async def scene() -> tuple[float, float]:
        first = asyncio.create_task(pool.run(nap, 1.0))
        second = asyncio.create_task(pool.run(nap, 0.1))
        await asyncio.sleep(0.05)
        with pytest.raises(BusyError):
            await pool.run(nap, 0.3)
        results = (await first, await second)
        assert await pool.run(nap, 0.4) == 0.4
        return results

    assert asyncio.run(scene()) == (1.0, 0.1)
    pool.close()


def test_an_analysis_past_its_time_is_ended_and_its_place_is_free() -> None:
    pool = WorkerPool(ServeSettings(concurrency=1, waiting=0, analysis_seconds=5))

    async def scene() -> None:
        assert await pool.run(nap, 0.0) == 0.0
        begun = time.monotonic()
        with pytest.raises(AnalysisTimeoutError, match="5 s"):
            await pool.run(nap, 600.0)
        assert time.monotonic() - begun < 8
        assert await pool.run(nap, 0.2) == 0.2

    asyncio.run(scene())
    pool.close()


def test_a_picture_that_brings_its_process_down_harms_no_other() -> None:
    pool = WorkerPool(ServeSettings(concurrency=1, waiting=2))

    async def scene() -> None:
        with pytest.raises(ImageError, match="died"):
            await pool.run(die, 0.0)
        assert await pool.run(nap, 0.2) == 0.2

    asyncio.run(scene())
    pool.close()


def pid_of(_: object) -> int:
    return os.getpid()


def test_a_process_that_dies_while_idle_is_replaced_before_the_next_picture() -> None:
    pool = WorkerPool(ServeSettings(concurrency=1))
    pool.open()
    try:
        before = asyncio.run(pool.run(pid_of, None))
        os.kill(before, signal.SIGKILL)
        due = time.monotonic() + 30
        while pool.processes() in ([], [before]):  # nobody asks for anything meanwhile
            assert time.monotonic() < due
            time.sleep(0.05)
        assert asyncio.run(pool.run(pid_of, None)) not in (before, None)
    finally:
        pool.close()


def test_a_process_that_died_a_moment_ago_costs_no_picture() -> None:
    pool = WorkerPool(ServeSettings(concurrency=1))  # not opened: nobody watches, so the picture itself finds it dead
    try:
        before = asyncio.run(pool.run(pid_of, None))
        os.kill(before, signal.SIGKILL)
        time.sleep(0.3)
        assert asyncio.run(pool.run(pid_of, None)) != before
    finally:
        pool.close()


def fill(megabytes: int) -> int:
    kept = np.ones(megabytes * 1_000_000, np.uint8)
    time.sleep(30 if megabytes > 400 else 15)  # the largest is ended; the others overlap with it on a slow machine too
    return len(kept)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not say how large a process is")
def test_all_processes_together_keep_within_their_memory() -> None:
    settings = ServeSettings(concurrency=3, memory=750_000_000, total_memory=750_000_000)
    pool = WorkerPool(settings)
    pool.open()

    async def scene() -> list[object]:
        await asyncio.gather(*(pool.run(nap, 0.5) for _ in range(3)))  # all three are up
        return await asyncio.gather(*(pool.run(fill, n) for n in (430, 60, 20)), return_exceptions=True)

    try:
        largest, middle, small = asyncio.run(scene())
        assert isinstance(largest, ImageError)  # none was over its own limit
        assert "together" in str(largest)
        assert (middle, small) == (60_000_000, 20_000_000)
    finally:
        pool.close()


def test_an_unforeseen_error_is_typed_and_tells_nothing(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mien.serve.app.answer_upload", explode)
    response = client.post("/api/analyze", content=SAMPLE.read_bytes())
    assert error_of(response) == (500, "InternalError")
    assert "secret" not in response.text
    assert "secret" in caplog.text


def test_unknown_addresses_and_methods(client: TestClient) -> None:
    assert error_of(client.get("/nowhere")) == (404, "NotFoundError")
    assert error_of(client.get("/api/analyze")) == (405, "MethodError")
    assert error_of(client.get("/static/../../pyproject.toml")) == (404, "NotFoundError")
    assert error_of(client.get("/report")) == (404, "NotFoundError")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "192.168.1.5"])
def test_other_names_are_refused_on_loopback(client: TestClient, host: str) -> None:
    assert error_of(client.get("/", headers={"Host": host})) == (421, "WrongHostError")


@pytest.mark.parametrize("host", ["localhost", "localhost:8765", "127.0.0.1:1", "[::1]:8765"])
def test_own_names_are_known(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_sites_pages_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    response = client.post("/api/analyze", content=SAMPLE.read_bytes(), headers=headers)
    assert error_of(response) == (403, "ForbiddenError")


def test_own_page_is_welcome(client: TestClient) -> None:
    headers = {"Origin": HOME, "Sec-Fetch-Site": "same-origin"}
    assert client.get("/api/about", headers=headers).status_code == 200


def test_the_token_is_demanded(guarded: TestClient) -> None:
    assert guarded.get("/").status_code == 200
    assert guarded.get("/static/app.js").status_code == 200
    for header in ({}, {"Authorization": "Bearer wrong-token-wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        for path in ("/api/about", "/api/sample", "/report"):
            response = guarded.get(path, headers=header)
            assert error_of(response) == (401, "UnauthorizedError")
            assert response.headers["www-authenticate"].startswith("Bearer")
    assert guarded.get("/api/about", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_a_session_remembers_the_token(tiny_models: Path) -> None:
    with client_of(tiny_models, ServeSettings(host="0.0.0.0", token=TOKEN)) as client:
        assert error_of(client.post("/api/session")) == (401, "UnauthorizedError")
        response = client.post("/api/session", headers={"Authorization": f"Bearer {TOKEN}"})
        assert response.status_code == 204
        cookie = response.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert client.get("/api/about").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "0.0.0.0"},
        {"host": "192.168.0.4"},
        {"host": "::"},
        {"token": "short"},
        {"concurrency": 0},
        {"total_memory": 0},
        {"concurrency": 1000},
        {"upload_bytes": 0},
        {"analysis_seconds": 0.0},
        {"port": 70000},
        {"report": Path("nowhere.html")},
    ],
)
def test_settings_that_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        ServeSettings(**wrong)  # type: ignore[arg-type]


def test_beyond_loopback_a_rebinding_name_is_refused() -> None:
    settings = ServeSettings(host="0.0.0.0", token=TOKEN, names=frozenset({"lab.example"}))
    assert settings.knows("192.168.0.4")
    assert settings.knows("lab.example")
    assert not settings.knows("evil.example")
    assert ServeSettings(host="::1").knows("[::1]")
    assert ServeSettings().url_at(80) == "http://127.0.0.1:80/"


def test_every_answer_carries_the_safe_headers(client: TestClient) -> None:
    for path in ("/", "/static/app.js", "/api/about", "/nowhere", "/docs", "/openapi.json"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    assert client.get("/api/about").headers["cache-control"] == "no-store"


def test_the_page_names_no_other_host() -> None:
    names = {"http://www.w3.org/2000/svg"}
    for path in WEB.iterdir():
        found = set(re.findall(r"(?:https?:)?//[a-z0-9][\w.-]*\.[a-z]{2,}[^\"'\s)]*", path.read_text("utf-8")))
        assert found <= names, f"{path.name} names {found - names}"


def test_docs_are_self_hosted(client: TestClient) -> None:
    page = client.get("/docs").text
    for source in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert client.get("/" + source).status_code == 200, source
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) >= {"/api/analyze", "/api/trust", "/api/about"}
    content = described["paths"]["/api/analyze"]["post"]["requestBody"]["content"]
    assert {"multipart/form-data", "image/jpeg"} <= set(content)


def test_answers_are_as_the_openapi_page_says(client: TestClient) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    described = client.get("/openapi.json").json()["paths"]["/api/analyze"]["post"]["responses"]
    schema = described["200"]["content"]["application/json"]["schema"]
    for params in ({}, {"what_if": True, "heatmap": True, "preview": True}, {"area": "mouth"}):
        answer = client.post("/api/analyze", params=params, content=SAMPLE.read_bytes()).json()
        jsonschema.validate(answer, schema)
        assert answer["faces"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**answer, "more": 1}, schema)


def test_about_gives_vocabulary_and_limits(client: TestClient) -> None:
    about = client.get("/api/about").json()
    assert about["emotions"][0] == "neutral"
    assert about["areas"]["nose_eyes"] == ["eyes", "nose"]
    assert about["part_landmarks"]["nose"] == list(range(28, 36))
    assert about["limits"]["upload_bytes"] == SMALL.upload_bytes
    assert client.get("/api/sample").content == SAMPLE.read_bytes()


def test_trust_tables(client: TestClient, tiny_models: Path, tmp_path: Path) -> None:
    assert error_of(client.get("/api/trust")) == (404, "NotFoundError")
    for path in tiny_models.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    row = "network,emotion,area,p,low,high,n,n_right\nanyarea,fear,mouth,0.4,0.3,0.5,20,8\n"
    for name in ("authenticity", "authenticity_fused"):
        (tmp_path / f"{name}.csv").write_text(row)
    with client_of(tmp_path) as other:
        tables = other.get("/api/trust").json()
    wanted = {"emotion": "fear", "area": "mouth", "p": 0.4, "low": 0.3, "high": 0.5, "n": 20, "n_right": 8}
    assert tables["areas"] == [wanted]
    assert tables["fused"] == [wanted]
    assert tables["dataset"] == "random"


def test_the_report_may_do_nothing_but_show_itself(tiny_models: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text("<h1>Study</h1>", "utf-8")
    with client_of(tiny_models, ServeSettings(report=report)) as client:
        response = client.get("/report")
        assert response.text.startswith("<h1>Study</h1>")
        assert "Back to mien" in response.text
        assert "sandbox" in response.headers["content-security-policy"]
        assert "connect-src" not in response.headers["content-security-policy"]
        assert client.get("/api/about").json()["report"] is True


def test_the_report_s_files_are_served_and_nothing_else_beside_it(tiny_models: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text("<h1>Study</h1>", "utf-8")
    for name in ("results/table-6-ferplus.csv", "results/.hidden.csv", "results/notes.txt", "settings.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a,b\n1,2\n")
    with client_of(tiny_models, ServeSettings(report=report)) as client:
        assert client.get("/results/table-6-ferplus.csv").text == "a,b\n1,2\n"
        for name in (".hidden.csv", "notes.txt", "..%2fsettings.json", "%2e%2e/settings.json", "table-7.csv"):
            assert client.get(f"/results/{name}").status_code == 404, name
    with client_of(tiny_models) as client:
        assert client.get("/results/table-6-ferplus.csv").status_code == 404


def test_many_at_once_get_the_same_answer(client: TestClient) -> None:
    answers: list[str] = []

    def ask() -> None:
        response = client.post("/api/analyze", content=io.BytesIO(SAMPLE.read_bytes()).read())
        answers.append(json.dumps(undated(response.json())))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 1
    assert len(answers) == 4


def test_the_command_says_what_is_wrong(tiny_models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["serve", "--models", str(tiny_models)]
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for wrong, code, sentence in (
            (["--host", "0.0.0.0"], 2, "needs --token"),
            (["--token", "short"], 2, "at least 16"),
            (["--report", "nowhere.html"], 2, "no such report"),
            (["--port", port], 3, "cannot listen"),
            (["--network", "other"], 6, "no network"),
        ):
            assert cli.main([*common, *wrong]) == code
            assert sentence in capsys.readouterr().err


def test_the_command_serves_until_interrupted(tiny_models: Path) -> None:
    command = [sys.executable, "-m", "mien", "serve", "--models", str(tiny_models), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            address = line.removeprefix("mien is at ").strip()
            assert address.startswith("http://127.0.0.1:"), line
            about = httpx.get(f"{address}api/about", timeout=60).json()
            assert about["models"] == "anyarea tiny"
            process.send_signal(signal.SIGINT)
            _, complaints = process.communicate(timeout=60)
            assert process.returncode == 0
            assert complaints == ""
        finally:
            process.kill()


@pytest.mark.slow
def test_many_workers_behind_one_port_have_one_queue_and_end_together(tiny_models: Path) -> None:
    psutil = pytest.importorskip("psutil", reason="the extra 'dev' is not installed")
    options = ("--workers", "3", "--waiting", "1", "--max-total-memory", "5")
    with serving(tiny_models, *options) as (address, _, process):
        limits = httpx.get(f"{address}api/about", timeout=60).json()["limits"]
        assert (limits["concurrency"], limits["waiting"], limits["total_memory"]) == (3, 1, 5_000_000_000)
        crew = psutil.Process(process.pid).children(recursive=True)
        workers = [child for child in crew if "resource_tracker" not in " ".join(child.cmdline())]
        assert len(workers) == 3
        picture = jpeg(np.full((2000, 2000, 3), 90, np.uint8))

        def ask(_: int) -> int:
            return httpx.post(f"{address}api/analyze", content=picture, timeout=60).status_code

        with ThreadPoolExecutor(12) as pool:
            codes = list(pool.map(ask, range(12)))
        assert codes.count(200) >= 4  # three at work and one that waits, for all processes together
        assert codes.count(503) >= 1
        assert codes.count(200) + codes.count(503) == 12
        process.send_signal(signal.SIGINT)
        process.wait(60)
        gone, alive = psutil.wait_procs(crew, timeout=10)
        assert len(gone) == len(crew)
        assert alive == []


@contextlib.contextmanager
def serving(models: Path, *options: str) -> Iterator[tuple[str, int, subprocess.Popen[str]]]:
    """``mien serve`` as a process: its address, its port and itself."""
    command = [sys.executable, "-m", "mien", "serve", "--models", str(models), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().removeprefix("mien is at ").strip()
            yield address, int(address.rstrip("/").rpartition(":")[2]), process
        finally:
            process.kill()


def test_silent_connections_keep_nobody_out(tiny_models: Path) -> None:
    with serving(tiny_models, "--header-seconds", "3") as (address, port, _), contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(230)]
        for connection in silent[::2]:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: local")
        assert httpx.get(f"{address}api/about", timeout=30).status_code == 200
        time.sleep(4)
        for connection in silent:
            connection.settimeout(5)
            with contextlib.suppress(ConnectionError):
                assert connection.recv(1) == b""  # closed, by a reset or in order


def test_a_trickle_of_header_bytes_is_ended_too(tiny_models: Path) -> None:
    with serving(tiny_models, "--header-seconds", "2") as (_, port, _):
        connection = socket.create_connection(("127.0.0.1", port))
        begun = time.monotonic()
        with contextlib.suppress(ConnectionError), connection:
            while time.monotonic() - begun < 20:
                connection.sendall(b"X")
                time.sleep(0.2)
        assert time.monotonic() - begun < 10


def test_a_connection_that_is_kept_is_not_ended_between_requests(tiny_models: Path) -> None:
    with serving(tiny_models, "--header-seconds", "4") as (address, _, _), httpx.Client(base_url=address) as client:
        for _ in range(3):
            assert client.get("/api/about").status_code == 200
            time.sleep(2)


def test_stopping_during_an_upload_prints_no_traceback(tiny_models: Path) -> None:
    with serving(tiny_models) as (address, port, process):
        assert httpx.get(f"{address}api/about", timeout=30).status_code == 200
        connection = socket.create_connection(("127.0.0.1", port))
        head = b"POST /api/analyze HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"
        connection.sendall(head + b"x" * 1000)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=20)
        connection.close()
    assert process.returncode == 0
    assert complaints == ""


def test_no_name_server_is_asked_about_a_strangers_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise AssertionError("a name was looked up")

    for name in ("getfqdn", "gethostbyname", "gethostbyaddr", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    settings = ServeSettings(host="0.0.0.0", token=TOKEN)
    assert not settings.knows("evil.example")
    assert settings.knows(socket.gethostname())


def test_limits_are_shown(client: TestClient) -> None:
    limits = client.get("/api/about").json()["limits"]
    assert limits["memory"] == SMALL.memory
    assert limits["analysis_seconds"] == SMALL.analysis_seconds


def test_the_page_says_what_was_measured_of_the_process_in_front() -> None:
    root = Path(__file__).parents[2]
    measured = json.loads((root / "benchmarks" / "results" / "serve.json").read_text())
    page = (root / "docs" / "serve.md").read_text()
    assert f"about {measured['workers_that_one_front_keeps_busy']} such workers" in " ".join(page.split())
    assert max(run["worker_memory_at_the_end"] for run in measured["runs"]) < RESTING_MEMORY
