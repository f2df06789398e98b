"""A server under load: 50 clients for a minute, one request in ten garbage -> docs/results/load.json.

    python scripts/measure/load.py [--clients 50] [--seconds 60] [--garbage 0.1]

Each client asks again as soon as it is answered; where the server is busy (503) it waits as long as ``Retry-After``
says. Good requests were asked before, one at a time, and must be answered as then, but for the date. The server has
a home, a folder for temporary files and a working folder of its own, so that what it leaves on disk is seen.

What counts as a fault, and makes the exit code 1: a 5xx that is no honest 503 (a ``BusyError`` in a sentence,
with ``Retry-After``), a good request answered otherwise or not at all, memory or descriptors that grow, a file left.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fuzz
import numpy as np
import psutil

from mien.analyze.examples import TITLES
from mien.assets import SAMPLE

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "docs" / "results" / "load.json"
GROWTH = 1.1
"""By how much the memory of the last quarter may exceed that of the second one."""
PATIENCE = 40.0
"""Seconds until a client gives up: more than the server's own limit."""
Answer = tuple[int, dict[str, str], bytes]
"""Status, headers (small letters), body."""


async def exchange(port: int, request: bytes) -> Answer | None:
    """The answer to a request on a connection of its own; None where the server closes without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    try:
        with contextlib.suppress(ConnectionError):  # it may refuse before all is sent, and say so
            writer.write(request)
            await writer.drain()
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        pairs = (line.partition(": ") for line in head[1:] if line)
        headers = {name.lower(): value for name, _, value in pairs}
        status, body = int(head[0].split()[1]), b""
        if not request.startswith(b"HEAD "):
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                body = await reader.readexactly(int(headers.get("content-length", 0)))
        return status, headers, body
    finally:
        writer.close()


def post(path: str, picture: bytes) -> bytes:
    """A whole request with a picture."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(picture)}\r\nConnection: close\r\n\r\n"
    return head.encode() + picture


def undated(body: bytes) -> str:
    """An answer without the date at which it was given."""
    answer = json.loads(body)
    answer.get("provenance", {}).pop("date", None)
    return json.dumps(answer, sort_keys=True)


def honest(answer: Answer) -> bool:
    """Whether a 503 says in a sentence that the server is busy, and when to come again."""
    with contextlib.suppress(ValueError, KeyError):
        return "retry-after" in answer[1] and json.loads(answer[2])["error"]["type"] == "BusyError"
    return False


@dataclass
class Tally:
    """What the clients met."""

    good: Counter[str] = field(default_factory=Counter)
    garbage: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


async def quiet(port: int, requests: dict[str, bytes]) -> dict[str, str]:
    """What each good request is answered while nobody else asks; the second answer, for the first may still warm up."""
    answers = {}
    for name, request in [*requests.items(), *requests.items()]:
        answer = await exchange(port, request)
        if answer is None or answer[0] != 200:
            raise RuntimeError(f"{name} is not answered even without load: {answer and answer[2][:200]!r}")
        answers[name] = undated(answer[2])
    return answers


async def client(number: int, port: int, until: float, share: float, known: dict[str, Any], tally: Tally) -> None:
    """One who asks until the time is up."""
    generator, names = np.random.default_rng([number, 18]), sorted(known["requests"])
    while time.monotonic() < until:
        if generator.random() < share:
            request, hang_up = fuzz.request_of(number + 1, int(generator.integers(0, 100_000)))
            if hang_up:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(request)
                writer.close()
                tally.garbage["hung up"] += 1
                continue
            answer = await asyncio.wait_for(exchange(port, request), PATIENCE)
            tally.garbage["closed" if answer is None else str(answer[0])] += 1
            if answer is not None and answer[0] >= 500 and not (answer[0] == 503 and honest(answer)):
                tally.faults.append(f"garbage of client {number}: {answer[0]} {answer[2][:200]!r}")
            continue
        name, begun = names[int(generator.integers(0, len(names)))], time.monotonic()
        try:
            answer = await asyncio.wait_for(exchange(port, known["requests"][name]), PATIENCE)
        except TimeoutError:
            answer = None
        tally.good["closed" if answer is None else str(answer[0])] += 1
        if answer is not None and answer[0] == 503 and honest(answer):
            await asyncio.sleep(float(answer[1]["retry-after"]))
        elif answer is None or answer[0] != 200:
            tally.faults.append(f"{name}: {answer and (answer[0], answer[2][:200])}")
        else:
            tally.seconds.append(time.monotonic() - begun)
            if undated(answer[2]) != known["answers"][name]:
                tally.faults.append(f"{name} is answered differently under load")


def used(process: psutil.Process) -> dict[str, float]:
    """Megabytes, descriptors and processes of the server and its workers at this moment."""
    family = [process, *process.children(recursive=True)]
    total = {"megabytes": 0.0, "descriptors": 0.0, "processes": 0.0}
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            total["megabytes"] += one.memory_info().rss / 1e6
            total["descriptors"] += one.num_fds()
            total["processes"] += 1
    return total


async def watch(process: psutil.Process, until: float) -> list[dict[str, float]]:
    """What the server uses, twice a second."""
    samples = []
    while time.monotonic() < until:
        samples.append(used(process))
        await asyncio.sleep(0.5)
    return samples


async def campaign(port: int, process: psutil.Process, args: argparse.Namespace) -> dict[str, Any]:
    """Quiet answers, then the load, then quiet again."""
    pictures = {}
    for name in TITLES:
        got = await exchange(port, f"GET /api/examples/{name}.jpg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert got is not None
        pictures[name] = got[2]
    requests = {f"{name}{options}": post(f"/api/analyze{options}", picture) for name, picture in pictures.items()
                for options in ("", "?what_if=true&rows=true", "?area=eyes")}  # fmt: skip
    requests["about"] = b"GET /api/about HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    known = {"requests": requests, "answers": await quiet(port, requests)}
    await asyncio.sleep(1)
    before, tally, until = used(process), Tally(), time.monotonic() + args.seconds
    clients = [client(number, port, until, args.garbage, known, tally) for number in range(args.clients)]
    samples, *_ = await asyncio.gather(watch(process, until), *clients)
    await asyncio.sleep(12)  # connections that nobody ended are ended
    after, again = used(process), await quiet(port, requests)
    quarter = max(1, len(samples) // 4)
    parts = [statistics.median(s["megabytes"] for s in samples[i : i + quarter]) for i in (quarter, 3 * quarter)]
    if parts[1] > GROWTH * parts[0]:
        tally.faults.append(f"memory grows: {parts[0]:.0f} MB in the second quarter, {parts[1]:.0f} MB in the last")
    if after["descriptors"] > before["descriptors"]:
        tally.faults.append(f"descriptors: {before['descriptors']:.0f} before, {after['descriptors']:.0f} after")
    if again != known["answers"]:
        tally.faults.append("good requests are answered differently after the load")
    seconds = sorted(tally.seconds)
    return {
        "good": dict(sorted(tally.good.items())), "garbage": dict(sorted(tally.garbage.items())),
        "seconds_of_good_answers": {"median": round(statistics.median(seconds), 2),
                                    "p95": round(seconds[int(0.95 * len(seconds))], 2),
                                    "slowest": round(seconds[-1], 2)},
        "megabytes": {"before": round(before["megabytes"]), "second_quarter": round(parts[0]),
                      "last_quarter": round(parts[1]), "peak": round(max(s["megabytes"] for s in samples)),
                      "after": round(after["megabytes"])},
        "descriptors": {"before": round(before["descriptors"]), "after": round(after["descriptors"]),
                        "most": round(max(s["descriptors"] for s in samples))},
        "processes": {"before": round(before["processes"]), "after": round(after["processes"])},
        "faults": tally.faults,
    }  # fmt: skip


def main() -> int:
    """Measure and write the result; 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--garbage", type=float, default=0.1, help="share of the requests (0.1)")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    fuzz.get_ready("pictures")
    loads = [round(os.getloadavg()[0], 2)]
    with tempfile.TemporaryDirectory() as scratch:
        places = {name: Path(scratch) / name for name in ("home", "tmp", "here")}
        for place in places.values():
            place.mkdir()
        environment = os.environ | {"HOME": str(places["home"]), "TMPDIR": str(places["tmp"])}
        environment |= {"PYTHONPATH": str(ROOT / "src"), "XDG_CACHE_HOME": str(places["home"])}
        usual = ("--header-seconds", "10", "--upload-seconds", "30")
        with fuzz.serving(*usual, env=environment, cwd=places["here"]) as (port, server):
            found = asyncio.run(campaign(port, psutil.Process(server.pid), args))
            loads.append(round(os.getloadavg()[0], 2))
            server.terminate()
            _, complaints = server.communicate(timeout=30)
        left = sorted(str(p.relative_to(scratch)) for p in Path(scratch).rglob("*") if not p.is_dir())
    if left:
        found["faults"].append(f"left on disk: {left[:5]}")
    if "Traceback" in complaints:
        found["faults"].append(f"traceback: {complaints[-300:]}")
    result = {
        "command": "python scripts/measure/load.py",
        "sample_bytes": SAMPLE.stat().st_size,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system(),
                    "load_average_before_after": loads},
        "commit": fuzz.commit(), "clients": args.clients, "seconds": args.seconds, "garbage_share": args.garbage,
        **found, "files_left": left,
    }  # fmt: skip
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({k: v for k, v in found.items() if k != "faults"}), *found["faults"][:5], sep="\n")
    return 1 if found["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
