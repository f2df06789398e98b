"""Strangers' bytes by the thousand: pictures, videos, data sets and HTTP requests, mutated -> docs/results/fuzz.json.

    python scripts/measure/fuzz.py                          the whole campaign (hours)
    python scripts/measure/fuzz.py --pictures 5000 --videos 100 --archives 300 --requests 1000

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
from functools import cache
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


def campaign(kind: str, count: int, seed: int, workers: int) -> dict[str, Any]:
    """All inputs of a kind, over processes that may die."""
    from functools import partial

    size = BATCH[kind]
    tasks = [(kind, seed, first, min(size, count - first)) for first in range(0, count, size)]
    total: dict[str, Any] = {"inputs": count, "outcomes": Counter(), "faults": [], "slowest_s": 0.0, "peak_mb": 0.0}
    progress = Progress(kind, count, "inputs")
    begun = time.monotonic()
    limits = WorkLimits(SECONDS * size, MEMORY)
    lost: list[Task] = []
    with Crew(workers, partial(get_ready, kind), limits) as crew:
        for outcome in crew.outcomes(try_all, tasks, ordered=False):
            progress.add(outcome.task[3])
            if outcome.result is None:
                lost.append(outcome.task)
            else:
                _add(total, outcome.result)
    singles = [(kind, seed, number, 1) for _, _, first, n in lost for number in range(first, first + n)]
    with Crew(1, partial(get_ready, kind), WorkLimits(SECONDS, MEMORY)) as crew:
        for outcome in crew.outcomes(try_all, singles):
            if outcome.result is None:
                total["outcomes"]["fault"] += 1
                total["faults"].append([outcome.task[2], str(outcome.error)])
            else:
                _add(total, outcome.result)
    progress.close()
    total["seconds"] = round(time.monotonic() - begun, 1)
    total["slowest_s"] = round(total["slowest_s"], 3)
    total["peak_mb"] = round(total["peak_mb"])
    total["outcomes"] = dict(sorted(total["outcomes"].items()))
    return total


def _add(total: dict[str, Any], result: dict[str, Any]) -> None:
    total["outcomes"] += result["outcomes"]
    total["faults"] += result["faults"]
    total["slowest_s"] = max(total["slowest_s"], result["slowest"][0])
    total["peak_mb"] = max(total["peak_mb"], result["megabytes"])


def requests(count: int, seed: int) -> dict[str, Any]:
    """Mutated HTTP requests to a server of its own; between them, whole ones that must be answered as before."""
    import psutil

    command = [sys.executable, "-m", "mien", "serve", "--port", "0", "--header-seconds", "2", "--upload-seconds", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().strip().rstrip("/").rpartition(":")[2])
            wanted = _whole(port)
            for _ in range(3):
                _whole(port)
            server = psutil.Process(process.pid)
            before = server.memory_info().rss / 1e6, server.num_fds()
            statuses, faults, slowest, begun = Counter[str](), list[list[Any]](), 0.0, time.monotonic()
            progress = Progress("requests", count, "requests")
            for number in range(count):
                generator = np.random.default_rng([seed, number, 8])
                start = time.perf_counter()
                status = _ask(port, _request(generator), hang_up=generator.random() < 0.1)
                slowest = max(slowest, time.perf_counter() - start)
                statuses[status] += 1
                if status.startswith("5") and status not in ("503", "504"):
                    faults.append([number, f"answered {status}"])
                if number % 250 == 249 and _whole(port) != wanted:
                    faults.append([number, "a whole request is answered differently"])
                progress.add()
            progress.close()
            time.sleep(3)
            after = server.memory_info().rss / 1e6, server.num_fds()
            seconds = round(time.monotonic() - begun, 1)
        finally:
            process.terminate()
            _, complaints = process.communicate(timeout=30)
    if "Traceback" in complaints:
        faults.append([-1, f"traceback: {complaints[-300:]}"])
    return {
        "inputs": count, "outcomes": dict(sorted(statuses.items())), "faults": faults, "slowest_s": round(slowest, 3),
        "server_mb_before_after": [round(before[0]), round(after[0])],
        "server_descriptors_before_after": [before[1], after[1]], "seconds": seconds,
    }  # fmt: skip


def _whole(port: int) -> bytes:
    from mien.assets import SAMPLE

    url = f"http://127.0.0.1:{port}/api/analyze"
    request = urllib.request.Request(url, SAMPLE.read_bytes(), {"Content-Type": "image/jpeg"})
    for _ in range(30):
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return bytes(response.read())
        except urllib.error.HTTPError as error:  # honest: analyses whose callers hung up still run, or it just began
            if error.code not in (503, 504):
                raise
            said = error.read()
            time.sleep(float(error.headers.get("Retry-After", 1)))
    return said


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


def _ask(port: int, request: bytes, hang_up: bool) -> str:
    """The status of the answer, or how the connection ended; some callers hang up without waiting for it."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=8) as connection:
            connection.sendall(request)
            if hang_up:
                return "hung up"
            answer = connection.recv(64)
            while answer and connection.recv(65536):
                pass
    except TimeoutError:
        return "no answer"
    except OSError:
        return "closed"
    return answer[9:12].decode("ascii", "replace") if answer.startswith(b"HTTP/1.1 ") else "closed"


def main() -> int:
    """Run what was asked for, into the results file beside its other kinds; exit code 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, count in (("pictures", 100_000), ("videos", 2_000), ("archives", 5_000), ("requests", 20_000)):
        parser.add_argument(f"--{name}", type=int, default=count, metavar="N", help=f"({count:,})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "fuzz.json")
    parser.add_argument("--only", metavar="KIND:NUMBER", help="make one input again and show what it does")
    args = parser.parse_args()
    if args.only:
        kind, _, number = args.only.partition(":")
        name, data = made(kind, args.seed, int(number))
        Path(f"fuzz-{kind}-{number}{name if name.startswith('.') else '.bin'}").write_bytes(data)
        print(TRIES[kind](name, data))
        return 0
    known = {"limits": {"seconds": SECONDS, "bytes": MEMORY}, "python": platform.python_version()}
    results: dict[str, Any] = (json.loads(args.out.read_text()) if args.out.is_file() else {}) | known
    run = {"command": " ".join(["python scripts/measure/fuzz.py", *sys.argv[1:]]), "seed": args.seed}
    for kind in (*TRIES, "requests"):
        count = getattr(args, kind)
        if count:
            done = campaign(kind, count, args.seed, args.workers) if kind in TRIES else requests(count, args.seed)
            results[kind] = run | done
            args.out.write_text(json.dumps(results, indent=1) + "\n")
    faults = {kind: r["faults"] for kind, r in results.items() if isinstance(r, dict) and r.get("faults")}
    for kind, found in faults.items():
        print(f"{kind}: {len(found)} faults, such as {found[:3]}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    import fuzz  # this very file, as a module that worker processes can import

    sys.exit(fuzz.main())
