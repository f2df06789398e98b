"""Strangers' bytes by the thousand: pictures, videos, data sets and HTTP requests, mutated -> docs/results/fuzz.json.

    python scripts/measure/fuzz.py                          the whole campaign (an hour or two)
    python scripts/measure/fuzz.py --pictures 5000 --videos 100 --archives 300 --requests 1000

The results file is written after every part, and a run that was ended goes on where it was; ``--fresh`` begins anew.

What counts as a fault: a process that dies, an exception that is no ``MienError``, an answer of the server that is 5xx
and not an honest 503 or 504, anything over 5 s or over 1 GB. Every input follows from ``--seed`` and its number, so a
fault can be made again: ``--only pictures:12345``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import platform
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from mien.errors import MienError  # noqa: E402
from mien.jobs.progress import Progress  # noqa: E402
from mien.jobs.workers import Crew, WorkLimits  # noqa: E402

SECONDS, MEMORY = 5.0, 1_000_000_000
"""An input over one of these is a fault."""
BATCH = {"pictures": 100, "videos": 4, "archives": 10}
PART = {"pictures": 5000, "videos": 100, "archives": 500, "requests": 1000}
"""Inputs after which the results are written; requests meet a new server each time."""
CALLERS = 6
"""Who send requests at the same time: fewer than the server's places, or most of them would meet a 503."""
Made = tuple[str, bytes]
"""Kind and content of an input."""


def mutate(generator: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """One to eight edits, as damage and malice make them."""
    content = bytearray(data)
    for _ in range(int(generator.integers(1, 9))):
        at = int(generator.integers(0, max(1, len(content))))
        if generator.random() < 0.5:  # heads hold what decides
            at = int(generator.integers(0, max(1, min(len(content), 200))))
        size = int(generator.integers(1, 9))
        kind = int(generator.integers(0, 8))
        if kind == 0:
            content[at : at + 1] = bytes([int(generator.integers(0, 256))])
        elif kind == 1:
            content[at : at + size] = generator.bytes(size)
        elif kind == 2:
            content[at : at + size] = bytes([int(generator.choice([0, 0xFF, 0x7F, 0x80]))]) * size
        elif kind == 3:
            del content[at : at + int(generator.integers(1, 200))]
        elif kind == 4:
            content[at:at] = content[at : at + int(generator.integers(1, 2000))]
        elif kind == 5:
            begin = int(generator.integers(0, max(1, len(other))))
            content[at : at + 500] = other[begin : begin + int(generator.integers(1, 2000))]
        elif kind == 6 and generator.random() < 0.3:
            del content[at:]
        else:
            order = "big" if generator.random() < 0.5 else "little"
            number = int(generator.choice([0, 1, 2, 3, 16, 255, 10_000, 65_535, 2**31 - 1, 2**32 - 1]))
            width = int(generator.choice([1, 2, 4]))
            content[at : at + width] = (number % 256**width).to_bytes(width, order)
    return bytes(content)


@cache
def seeds(kind: str) -> list[Made]:
    """Whole inputs, of which others are made."""
    return list({"pictures": _pictures, "videos": _videos, "archives": _archives}[kind]())


def _pictures() -> Iterator[Made]:
    from PIL import Image

    from mien.assets import SAMPLE

    face = Image.open(SAMPLE).crop((100, 0, 340, 240)).resize((96, 96))
    exif = Image.Exif()
    exif[0x0112] = 6
    alpha = face.convert("RGBA")
    alpha.putalpha(face.convert("L"))
    deep = Image.fromarray(np.asarray(face.convert("L")).astype(np.uint16) * 257)
    for name, image, options in (
        ("JPEG", face, {"exif": exif}), ("JPEG", face, {"progressive": True}), ("JPEG", face.convert("CMYK"), {}),
        ("JPEG", face.convert("L"), {}), ("PNG", face, {}), ("PNG", alpha, {}), ("PNG", deep, {}),
        ("PNG", face.convert("P"), {}), ("WEBP", face, {}), ("WEBP", alpha, {"lossless": True}),
        ("WEBP", face, {"save_all": True, "append_images": [face.rotate(90)]}), ("TIFF", face, {}), ("TIFF", deep, {}),
        ("TIFF", face, {"compression": "tiff_lzw"}), ("TIFF", alpha, {"compression": "tiff_deflate"}),
        ("TIFF", face, {"compression": "jpeg"}), ("BMP", face, {}), ("BMP", face.convert("P"), {}),
        ("GIF", face.convert("P"), {}), ("GIF", face, {"save_all": True, "append_images": [face.rotate(9)]}),
        ("AVIF", face, {}),
    ):  # fmt: skip
        buffer = io.BytesIO()
        image.save(buffer, name, **options)  # type: ignore[arg-type]
        yield name, buffer.getvalue()
    with contextlib.suppress(ImportError):
        import pillow_heif

        buffer = io.BytesIO()
        pillow_heif.from_pillow(face).save(buffer)
        yield "HEIC", buffer.getvalue()


def _videos() -> Iterator[Made]:
    from builders.video import HEIGHT, WIDTH, write_video

    noise = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH + 80, 3), np.uint8)
    frames = [np.ascontiguousarray(noise[:, 2 * i : 2 * i + WIDTH]) // 8 * 8 for i in range(12)]
    times = [i / 10 for i in range(12)]
    with tempfile.TemporaryDirectory() as folder:
        for name, options in (
            ("a.mp4", {}), ("b.mp4", {"movflags": "frag_keyframe+empty_moov"}), ("c.mkv", {}), ("d.mts", {}),
            ("e.avi", {}), ("f.mov", {}),
        ):  # fmt: skip
            yield Path(name).suffix, write_video(Path(folder) / name, frames, times, container=options).read_bytes()


def _archives() -> Iterator[Made]:
    from builders.data import (
        drawn_face,
        expw,
        ferplus_folders,
        ferplus_kaggle,
        plain_expw_lines,
        plain_ferplus_rows,
        rafdb_official,
        rafdb_repack,
        write_lines,
        write_picture,
        zipped,
    )  # fmt: skip

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        rows = plain_ferplus_rows(8)
        for i in range(6):
            write_picture(root / "mine" / ("happy", "sad")[i % 2] / f"{i}.png", drawn_face(i, 40))
            write_picture(root / "table" / f"{i}.png", drawn_face(i, 40))
        lines = [f"{i}.png,{('fear', 'anger')[i % 2]},5,5,30,30" for i in range(6)]
        write_lines(root / "table" / "labels.csv", ["image,emotion,x0,y0,x1,y1", *lines])
        labels = ["train_00001.jpg 1", "train_00002.jpg 4", "test_0001.jpg 7"]
        for name, made in (
            ("ferplus", ferplus_folders(root / "f", rows)), ("ferplus", ferplus_kaggle(root / "k", rows)),
            ("rafdb", rafdb_official(root / "r", labels)), ("rafdb", rafdb_repack(root / "p", labels)),
            ("expw", expw(root / "e", plain_expw_lines(3))), ("mine", root / "mine"), ("mine", root / "table"),
        ):  # fmt: skip
            yield name, zipped(made, root / "x.zip").read_bytes()


def made(kind: str, seed: int, number: int) -> Made:
    """The input of a number."""
    generator = np.random.default_rng([seed, number, len(kind)])
    chosen = seeds(kind)
    name, data = chosen[int(generator.integers(0, len(chosen)))]
    other = chosen[int(generator.integers(0, len(chosen)))][1]
    if kind == "archives" and generator.random() < 0.6:
        return name, _inside(generator, data)
    return name, mutate(generator, data, other)


def _inside(generator: np.random.Generator, data: bytes) -> bytes:
    """A whole zip with a damaged file in it: its label files are read, not only its directory."""
    import zipfile

    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(target, "w") as after:
        names = before.namelist()
        tables = [n for n in names if n.endswith((".csv", ".txt", ".lst"))]
        hit = str(generator.choice(tables if tables and generator.random() < 0.7 else names))
        for name in names:
            content = before.read(name)
            after.writestr(name, mutate(generator, content, b"0,1,2 \r\n\xff") if name == hit else content)
    return target.getvalue()


def try_picture(name: str, data: bytes) -> str:
    """Read it."""
    from mien.face.images import load

    load(data)
    return "read"


def try_video(name: str, data: bytes) -> str:
    """Read all its frames."""
    from mien.analyze.video.frames import VideoReader

    with tempfile.NamedTemporaryFile(suffix=name) as file:
        file.write(data)
        file.flush()
        with VideoReader(Path(file.name)) as reader:
            for _ in reader:
                pass
        return "read with a remark" if reader.problem else "read"


def try_archive(name: str, data: bytes) -> str:
    """Read its labels and look at its pictures."""
    from mien.data import inspect, read

    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        file.write(data)
        file.flush()
        dataset = read(name, file.name)
        seen = inspect(dataset, workers=1, quiet=True)
        return "read with a remark" if dataset.problems or seen.problems else "read"


TRIES: dict[str, Callable[[str, bytes], str]] = {
    "pictures": try_picture, "videos": try_video, "archives": try_archive,
}  # fmt: skip
Task = tuple[str, int, int, int]
"""Kind, seed, first number, how many."""


def try_all(task: Task) -> dict[str, Any]:
    """A batch of inputs in a worker: how many were read or refused, the slowest, and what was no MienError."""
    kind, seed, first, count = task
    result: dict[str, Any] = {"outcomes": Counter(), "faults": [], "slowest": [0.0, first]}
    for number in range(first, first + count):
        name, data = made(kind, seed, number)
        begun = time.perf_counter()
        try:
            outcome = TRIES[kind](name, data)
        except MienError:
            outcome = "refused"
        except Exception as error:
            outcome = "fault"
            result["faults"].append([number, f"{type(error).__name__}: {error}"[:300]])
        seconds = time.perf_counter() - begun
        result["outcomes"][outcome] += 1
        result["slowest"] = max(result["slowest"], [seconds, number])
        if seconds > SECONDS:
            result["faults"].append([number, f"took {seconds:.1f} s"])
    result["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return result


def get_ready(kind: str) -> None:
    """Make the whole inputs before the clock runs."""
    seeds(kind)


def part(kind: str, first: int, count: int, seed: int, workers: int) -> dict[str, Any]:
    """The inputs of a kind from a number on, over processes that may die."""
    size = BATCH[kind]
    tasks = [(kind, seed, at, min(size, first + count - at)) for at in range(first, first + count, size)]
    total: dict[str, Any] = {"inputs": count, "outcomes": Counter(), "faults": [], "slowest_s": 0.0, "peak_mb": 0.0}
    limits = WorkLimits(SECONDS * size, MEMORY)
    lost: list[Task] = []
    with Crew(workers, partial(get_ready, kind), limits) as crew:
        for outcome in crew.outcomes(try_all, tasks, ordered=False):
            if outcome.result is None:
                lost.append(outcome.task)
            else:
                _add(total, outcome.result)
    singles = [(kind, seed, number, 1) for _, _, begin, n in lost for number in range(begin, begin + n)]
    with Crew(1, partial(get_ready, kind), WorkLimits(SECONDS, MEMORY)) as crew:
        for outcome in crew.outcomes(try_all, singles):
            if outcome.result is None:
                total["outcomes"]["fault"] += 1
                total["faults"].append([outcome.task[2], str(outcome.error)])
            else:
                _add(total, outcome.result)
    return total


def _add(total: dict[str, Any], result: dict[str, Any]) -> None:
    total["outcomes"] += result["outcomes"]
    total["faults"] += result["faults"]
    total["slowest_s"] = max(total["slowest_s"], round(result["slowest"][0], 3))
    total["peak_mb"] = max(total["peak_mb"], round(result["megabytes"]))


@contextlib.contextmanager
def serving(*options: str, **process: Any) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """``mien serve`` as a process of its own, ended afterwards: its port and itself.

    Args:
        options: of the command.
        process: what else :class:`subprocess.Popen` shall know, such as ``cwd``.
    """
    command = [sys.executable, "-m", "mien", "serve", "--port", "0", "--header-seconds", "2", "--upload-seconds", "2"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, *options], **pipes, **process) as server:
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline().strip().rstrip("/").rpartition(":")[2]), server
        finally:
            server.terminate()


def requests(kind: str, first: int, count: int, seed: int, workers: int) -> dict[str, Any]:
    """Mutated HTTP requests to a server of its own, from several callers at once; between them whole ones, alone."""
    import psutil

    statuses, faults, slowest = Counter[str](), list[list[Any]](), 0.0
    with serving() as (port, process):
        try:
            wanted = next(reversed([_whole(port) for _ in range(4)]))
            server = psutil.Process(process.pid)
            before = server.memory_info().rss / 1e6, server.num_fds()
            with ThreadPoolExecutor(CALLERS) as callers:
                for begin in range(first, first + count, 250):
                    numbers = range(begin, min(begin + 250, first + count))
                    answers = callers.map(partial(_ask, port, seed), numbers)
                    for number, (status, seconds) in zip(numbers, answers, strict=True):
                        statuses[status] += 1
                        slowest = max(slowest, seconds)
                        if status.startswith("5") and status not in ("503", "504"):
                            faults.append([number, f"answered {status}"])
                        if seconds > SECONDS:
                            faults.append([number, f"{status} took {seconds:.1f} s"])
                    if _whole(port) != wanted:
                        faults.append([begin, "a whole request is answered differently after these"])
            time.sleep(3)
            after = server.memory_info().rss / 1e6, server.num_fds()
        finally:
            process.terminate()
            _, complaints = process.communicate(timeout=30)
    if "Traceback" in complaints:
        faults.append([first, f"traceback: {complaints[-300:]}"])
    return {
        "inputs": count, "outcomes": statuses, "faults": faults, "slowest_s": round(slowest, 3),
        "peak_mb": round(max(before[0], after[0])), "server_mb_before_after": [[round(before[0]), round(after[0])]],
        "server_descriptors_before_after": [[before[1], after[1]]],
    }  # fmt: skip


def _whole(port: int) -> str:
    """What the sample is answered, but for the time of the answer."""
    from mien.assets import SAMPLE

    url = f"http://127.0.0.1:{port}/api/analyze"
    request = urllib.request.Request(url, SAMPLE.read_bytes(), {"Content-Type": "image/jpeg"})
    said = "no answer"
    for _ in range(60):
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                answer = json.load(response)
            answer["provenance"].pop("date", None)
            return json.dumps(answer)
        except urllib.error.HTTPError as error:  # honest: analyses whose callers hung up still run, or it just began
            if error.code not in (503, 504):
                raise
            said = error.read().decode()
            time.sleep(float(error.headers.get("Retry-After", 1)))
    return said


def request_of(seed: int, number: int) -> tuple[bytes, bool]:
    """The request of a number, and whether its caller hangs up without waiting for the answer."""
    generator = np.random.default_rng([seed, number, 8])
    return _request(generator), generator.random() < 0.1


def _request(generator: np.random.Generator) -> bytes:
    paths = [
        "/",
        "/api/analyze",
        "/api/about",
        "/api/trust",
        "/static/app.js",
        "/docs",
        "/openapi.json",
        "/nowhere",
        "/api/analyze?area=eyes&detector=hog",
        "/static/../../etc/passwd",
        "/api/analyze?area=%00&heatmap=true",
    ]
    name, picture = seeds("pictures")[int(generator.integers(0, len(seeds("pictures"))))]
    body = picture if generator.random() < 0.3 else mutate(generator, picture, b"--b\r\n")
    kind = f"image/{name.lower()}"
    if generator.random() < 0.3:
        form = 'Content-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        body = b"--b\r\n" + form.encode() + body + b"\r\n--b--\r\n"
        kind = "multipart/form-data; boundary=b"
    method = str(generator.choice(["GET", "POST", "POST", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"]))
    path = str(generator.choice(paths)) if generator.random() < 0.4 else "/api/analyze"
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: {kind}\r\n"
    if method in ("POST", "PUT"):
        head += f"Content-Length: {len(body)}\r\n"
    else:
        body = b""
    whole = head.encode() + b"\r\n" + body
    if generator.random() < 0.5:
        cut = len(head) + 2
        whole = mutate(generator, whole[:cut], b"Transfer-Encoding: chunked\r\nHost: x\r\n") + whole[cut:]
    return whole


def _ask(port: int, seed: int, number: int) -> tuple[str, float]:
    """The status of a request's answer, or how the connection ended, and the seconds until then."""
    (request, hang_up), begun = request_of(seed, number), time.perf_counter()
    answer = b""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=8) as connection:
        connection.sendall(request)
        if hang_up:  # without waiting for the answer
            return "hung up", time.perf_counter() - begun
        while not _complete(answer) and (more := connection.recv(65536)):
            answer += more
    status = answer[9:12].decode("ascii", "replace") if answer.startswith(b"HTTP/1.1 ") else "closed"
    return status, time.perf_counter() - begun


def _complete(answer: bytes) -> bool:
    """Whether head and body are there; a connection may be kept open for seconds after them."""
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return length is not None and len(body) >= int(length[1])


def go_on(kind: str, count: int, known: dict[str, Any], seed: int, workers: int) -> Iterator[dict[str, Any]]:
    """The results of a kind after each part, from those that are known to the wanted number of inputs."""
    done = dict(known) if known.get("seed") == seed else {}
    progress = Progress(kind, count, "inputs")
    progress.add(min(count, done.get("inputs", 0)))
    while done.get("inputs", 0) < count:
        first, begun = done.get("inputs", 0), time.monotonic()
        run = requests if kind == "requests" else part
        more = run(kind, first, min(PART[kind], count - first), seed, workers)
        outcomes = Counter(done.get("outcomes", {})) + more["outcomes"]
        done = {
            "seed": seed,
            **{name: done.get(name, type(value)()) + value for name, value in more.items() if name != "outcomes"},
            **{name: max(done.get(name, 0), more[name]) for name in ("slowest_s", "peak_mb")},
            "outcomes": dict(sorted(outcomes.items())),
            "seconds": round(done.get("seconds", 0) + time.monotonic() - begun, 1),
        }
        progress.add(more["inputs"])
        yield done
    progress.close()


def commit() -> str:
    """Of the code that is tried; empty outside of a checkout."""
    git = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    return ""


def again(which: str, seed: int) -> str:
    """Make one input again, write it to a file here, and say what it does.

    Args:
        which: ``KIND:NUMBER``.
    """
    kind, _, number = which.partition(":")
    if kind == "requests":
        name, data = "", request_of(seed, int(number))[0]
    else:
        name, data = made(kind, seed, int(number))
    Path(f"fuzz-{kind}-{number}{name if name.startswith('.') else '.bin'}").write_bytes(data)
    if kind != "requests":
        return TRIES[kind](name, data)
    with serving() as (port, process):
        _whole(port)
        status, seconds = _ask(port, seed, int(number))
        process.terminate()
        _, complaints = process.communicate(timeout=30)
    return f"{status} after {seconds:.2f} s{complaints and ': '}{complaints}"


def main() -> int:
    """Run what was asked for, into the results file beside its other kinds; exit code 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, count in (("pictures", 100_000), ("videos", 2_000), ("archives", 5_000), ("requests", 20_000)):
        parser.add_argument(f"--{name}", type=int, default=count, metavar="N", help=f"({count:,})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="forget what the results file holds")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "fuzz.json")
    parser.add_argument("--only", metavar="KIND:NUMBER", help="make one input again and show what it does")
    args = parser.parse_args()
    if args.only:
        print(again(args.only, args.seed))
        return 0
    old = json.loads(args.out.read_text()) if args.out.is_file() and not args.fresh else {}
    results: dict[str, Any] = old | {
        "command": " ".join(["python scripts/measure/fuzz.py", *(a for a in sys.argv[1:] if a != "--fresh")]),
        "limits": {"seconds": SECONDS, "bytes": MEMORY}, "python": platform.python_version(), "commit": commit(),
    }  # fmt: skip
    for kind in (*TRIES, "requests"):
        for done in go_on(kind, getattr(args, kind), results.get(kind, {}), args.seed, args.workers):
            results[kind] = done
            args.out.write_text(json.dumps(results, indent=1) + "\n")
    faults = {kind: r["faults"] for kind, r in results.items() if isinstance(r, dict) and r.get("faults")}
    for kind, found in faults.items():
        print(f"{kind}: {len(found)} faults, such as {found[:3]}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    import fuzz  # this very file, as a module that worker processes can import

    sys.exit(fuzz.main())
