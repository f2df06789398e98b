"""Pictures of 500 shapes, from 1 x 1 to 1 x 20,000, through every door -> docs/results/detection/shapes.json.

    python scripts/measure/shapes.py --out docs/results/detection/shapes.json
    python scripts/measure/shapes.py --doors "command line" --detector dlib --out dlib.json

Doors: ``mien analyze`` with all the files at once (each drawn as well), with their folder, with a video of each shape
(three frames of a PNG stream, which takes any shape), and ``mien serve``, asked for each picture once and for the
sample after every 50. Pictures hold noise, one colour, or the sample squeezed into their shape, as grey,
colour, with alpha, palette or black and white, in 8 and 16 bits.

A fault is: a process that ends by a signal or with an exit code that is not documented, a traceback, an input without
a row, a sentence or an answer, a status of 5xx, a server that does not answer the whole picture any more.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mien.assets import SAMPLE
from mien.face import images
from mien.types import UInt8

EXTREMES = [
    (1, 1), (1, 2), (2, 1), (7, 7), (8, 8), (9, 9), (1, 20_000), (20_000, 1), (2, 20_000), (20_000, 2), (7, 20_000),
    (8, 20_000), (20_000, 8), (9, 15_000), (16, 20_000), (20_000, 16), (8, 300), (300, 8), (60, 20_000), (20_000, 60),
    (1, 16_384), (16_385, 1), (100, 12_000), (12_000, 100), (1, 640), (640, 1), (641, 9), (2561, 8), (5000, 4000),
    (4000, 6000),
]  # fmt: skip
"""Height and width."""
KINDS = ("grey", "RGB", "RGBA", "grey and alpha", "16 bit grey", "16 bit RGB", "16 bit RGBA", "palette", "1 bit")
CONTENTS = ("sample", "noise", "one colour")
WHOLE_EVERY = 50
KNOWN_CODES = (0, 3, 4)
"""Exit codes of an analysis that ran to its end."""
DOORS = ("command line", "folder", "video", "server")
Fault = list[Any]


def shapes(count: int, seed: int) -> list[tuple[int, int]]:
    """Height and width of each picture: the extremes, then any, most of them thin or tiny."""
    generator = np.random.default_rng(seed)
    chosen = list(EXTREMES)
    while len(chosen) < count:
        long = int(2 ** generator.uniform(0, np.log2(20_000)))
        short = int(2 ** generator.uniform(0, np.log2(min(long, 2_000_000 / long)) + 1e-9))
        chosen.append((short, long) if generator.random() < 0.5 else (long, short))
    return chosen[:count]


def pixels(shape: tuple[int, int], number: int, seed: int) -> UInt8:
    """uint8 [H, W, 3]."""
    height, width = shape
    generator = np.random.default_rng([seed, number])
    content = CONTENTS[number % len(CONTENTS)]
    if content == "noise":
        return generator.integers(0, 256, (height, width, 3), np.uint8)
    if content == "one colour":
        return np.broadcast_to(generator.integers(0, 256, 3).astype(np.uint8), (height, width, 3)).copy()
    return np.asarray(cv2.resize(images.load(SAMPLE), (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def write(path: Path, rgb: UInt8, kind: str) -> None:
    """A PNG of a kind."""
    from PIL import Image

    alpha = rgb[..., :1] // 2 + 100
    if kind.startswith("16 bit"):
        deep = {"16 bit grey": rgb[..., 1], "16 bit RGB": rgb[..., ::-1],
                "16 bit RGBA": np.concatenate([rgb[..., ::-1], alpha], axis=2)}[kind]  # fmt: skip
        path.write_bytes(cv2.imencode(".png", deep.astype(np.uint16) * 257)[1].tobytes())
        return
    image = Image.fromarray(rgb)
    modes = {"grey": "L", "RGB": "RGB", "RGBA": "RGBA", "palette": "P", "1 bit": "1", "grey and alpha": "LA"}
    if kind == "RGBA":
        image.putalpha(Image.fromarray(alpha[..., 0]))
    image.convert(modes[kind]).save(path)


def write_video(path: Path, rgb: UInt8) -> None:
    """Three frames."""
    import av

    with av.open(str(path), "w") as file:
        stream = file.add_stream("png", rate=5)
        stream.height, stream.width = rgb.shape[:2]
        stream.pix_fmt = "rgb24"
        for n in range(3):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(rgb, n, axis=1), format="rgb24")))
        file.mux(stream.encode())


def analyzed(arguments: list[str], names: list[str], answers: Callable[[], set[str]]) -> dict[str, Any]:
    """One ``mien analyze``: its exit code, and what became of each name."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "mien", "analyze", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    faults: list[Fault] = []
    if done.returncode not in KNOWN_CODES:
        faults.append(["exit code", done.returncode, done.stderr[-300:]])
    if "Traceback" in done.stderr:
        faults.append(["traceback", done.stderr[-300:]])
    answered = answers() if not faults else set()
    sentences = {name: [line for line in done.stderr.splitlines() if name in line] for name in names}
    told = {name for name in names if name not in answered and sentences[name]}
    silent = set(names) - answered - told if not faults else set()
    faults += [["neither row nor sentence", name] for name in sorted(silent)]
    return {
        "inputs": len(names), "answered": len(answered & set(names)), "refused with a sentence": len(told),
        "sentences": _alike(sentences[name][0] for name in sorted(told)), "exit code": done.returncode,
        "seconds": round(time.perf_counter() - begun, 1), "faults": faults,
    }  # fmt: skip


def _alike(lines: Any) -> dict[str, int]:
    """Sentences counted by what follows the file's name."""
    return dict(Counter(line.rpartition(": ")[2][:120] for line in lines).most_common(5))


def _inputs_of(table: Path) -> set[str]:
    import pandas as pd

    return {Path(name).name for name in pd.read_csv(table)["input"]} if table.is_file() else set()


def served(files: list[Path]) -> dict[str, Any]:
    """``mien serve``, asked for each picture."""
    begun, statuses, faults, slowest = time.perf_counter(), Counter[str](), list[Fault](), 0.0
    command = [sys.executable, "-m", "mien", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip().split()[-1]
            whole, _ = asked(address, SAMPLE.read_bytes())
            for number, file in enumerate(files):
                at = time.perf_counter()
                status, said = asked(address, file.read_bytes())
                slowest = max(slowest, time.perf_counter() - at)
                statuses[str(status)] += 1
                if status >= 500 or (status != 200 and not said):
                    faults.append([file.name, status, said[:200]])
                if number % WHOLE_EVERY == WHOLE_EVERY - 1 and asked(address, SAMPLE.read_bytes())[0] != whole:
                    faults.append([file.name, "the whole picture is not answered any more"])
            if process.poll() is not None:
                faults.append(["the server ended", process.returncode])
        finally:
            process.terminate()
            _, complaints = process.communicate(timeout=30)
    if whole != 200:
        faults.append(["the sample was not answered", whole])
    if "Traceback" in complaints:
        faults.append(["traceback", complaints[-300:]])
    return {
        "inputs": len(files), "statuses": dict(sorted(statuses.items())), "slowest answer s": round(slowest, 2),
        "seconds": round(time.perf_counter() - begun, 1), "faults": faults,
    }  # fmt: skip


def asked(address: str, content: bytes) -> tuple[int, str]:
    """Status and words of the server's answer to a picture."""
    headers = {"Content-Type": "application/octet-stream"}
    request = urllib.request.Request(address.rstrip("/") + "/api/analyze", content, headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 599, f"no answer ({error})"


def main() -> int:
    """Make the pictures, send them through the doors, write; exit code 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--doors", nargs="+", choices=DOORS, default=DOORS)
    parser.add_argument("--detector", default="mesh", choices=("mesh", "dlib"))
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    chosen = shapes(args.count, args.seed)
    area = [height * width for height, width in chosen]
    result: dict[str, Any] = {
        "command": "python scripts/measure/shapes.py --out docs/results/detection/shapes.json",
        "detector": args.detector, "shapes": len(chosen),
        "longest side": max(map(max, chosen)), "narrower than 8": sum(min(shape) < 8 for shape in chosen),
        "longer than 20 times their width": sum(max(shape) > 20 * min(shape) for shape in chosen),
        "largest megapixels": round(max(area) / 1e6, 1),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files, videos = [], []
        for place in ("photos", "videos"):
            (root / place).mkdir()
        for number, shape in enumerate(chosen):
            rgb = pixels(shape, number, args.seed)
            stem = f"{number:03}-{shape[0]}x{shape[1]}"
            files.append(root / "photos" / f"{stem}.png")
            write(files[-1], rgb, KINDS[number // len(CONTENTS) % len(KINDS)])
            if "video" in args.doors:
                videos.append(root / "videos" / f"{stem}.mov")
                write_video(videos[-1], rgb)
        options = ["--detector", args.detector, "--quiet"]
        for door in args.doors:
            if door == "server":
                result[door] = served(files)
            else:
                table = root / f"{door[:5]}.csv"
                given = {"command line": files, "folder": [root / "photos"], "video": videos}[door]
                alone = ["--workers", "1"] if door == "folder" else []
                alone += ["--save-image", str(root / "drawn")] if door == "command line" else []
                names = [file.name for file in (videos if door == "video" else files)]
                arguments = [*map(str, given), "--out", str(table), *options, *alone]
                result[door] = analyzed(arguments, names, lambda table=table: _inputs_of(table))
            print(door, json.dumps(result[door], indent=1)[:1500], flush=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    return int(any(result[door]["faults"] for door in args.doors))


if __name__ == "__main__":
    sys.exit(main())
