"""How should the crops be stored? Size, time to write, and time to read them as training does.

    python scripts/measure/storage.py CACHE [--faces 4096] [--out docs/results/data/storage]

CACHE is a prepared data set; its crops are cut anew. Measured a format: bytes on disk; seconds to write; milliseconds
for a batch of 64 random faces, one area (what a training step reads); seconds for one area of every face in order.
Every number is the median of several repetitions with the files in the page cache. Formats: .npy read by memory map
(what mien uses), .npz (a zip), Parquet, and zarr where it is installed (pip install zarr).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mien.data.cache import FaceCache
from mien.face.crops import cut
from mien.face.spec import PUBLISHED_SPEC
from mien.types import AREAS

BATCH = 64
BATCHES = 30
Reader = Callable[[Any], Any]


def npy(folder: Path, crops: Any) -> tuple[Callable[[], None], Callable[[], tuple[Reader, Reader]]]:
    """.npy, read by memory map."""
    path = folder / "crops.npy"

    def opened() -> tuple[Reader, Reader]:
        array = np.load(path, mmap_mode="r")
        return (lambda rows: array[rows, 0]), (lambda _: np.array(array[:, 0]))

    return (lambda: np.save(path, crops)), opened


def npz(folder: Path, crops: Any) -> tuple[Callable[[], None], Callable[[], tuple[Reader, Reader]]]:
    """.npz, compressed: a zip member is only read as a whole."""
    path = folder / "crops.npz"
    names = [area.value for area in AREAS]

    def opened() -> tuple[Reader, Reader]:
        def whole(_: Any) -> Any:
            with np.load(path) as file:
                return file[names[0]]

        return (lambda rows: whole(None)[rows]), whole

    return (lambda: np.savez_compressed(path, **{n: crops[:, i] for i, n in enumerate(names)})), opened


def parquet(folder: Path, crops: Any) -> tuple[Callable[[], None], Callable[[], tuple[Reader, Reader]]]:
    """Parquet, a binary column an area, 256 faces a row group, zstd."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path, group, side = folder / "crops.parquet", 256, crops.shape[-1]

    def write() -> None:
        columns = {area.value: [c.tobytes() for c in crops[:, i]] for i, area in enumerate(AREAS)}
        pq.write_table(pa.table(columns), path, row_group_size=group, compression="zstd", use_dictionary=False)

    def pictures(column: Any) -> Any:
        return np.stack([np.frombuffer(v.as_py(), np.uint8).reshape(side, side) for v in column])

    def opened() -> tuple[Reader, Reader]:
        file = pq.ParquetFile(path)

        def some(rows: Any) -> Any:
            groups = sorted({int(r) // group for r in rows})
            place = {g: i * group for i, g in enumerate(groups)}
            column = file.read_row_groups(groups, columns=[AREAS[0].value]).column(0)
            return pictures(column.take([place[int(r) // group] + int(r) % group for r in rows]))

        return some, lambda _: pictures(file.read(columns=[AREAS[0].value]).column(0))

    return write, opened


def zarr_array(folder: Path, crops: Any) -> tuple[Callable[[], None], Callable[[], tuple[Reader, Reader]]]:
    """zarr, chunks of 64 faces of one area, its default compression."""
    import zarr

    path = folder / "crops.zarr"

    def write() -> None:
        shutil.rmtree(path, ignore_errors=True)
        array = zarr.create_array(str(path), shape=crops.shape, chunks=(BATCH, 1, *crops.shape[2:]), dtype="uint8")
        array[:] = crops

    def opened() -> tuple[Reader, Reader]:
        array = zarr.open_array(str(path), mode="r")
        return (lambda rows: array.oindex[np.sort(rows), 0]), (lambda _: array[:, 0])

    return write, opened


FORMATS = {".npy, memory map": npy, "zarr": zarr_array, "Parquet": parquet, ".npz": npz}


def size_of(folder: Path) -> int:
    """Bytes of all files."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def seconds(work: Callable[[], Any], times: int) -> float:
    """Median of repetitions."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def measure(name: str, crops: Any) -> dict[str, Any]:
    """One format."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write, opened = FORMATS[name](folder, crops)
        writing = seconds(write, 2)
        some, whole = opened()
        rows = generator.integers(0, len(crops), (BATCHES, BATCH))
        assert (
            np.sort(some(rows[0]).reshape(BATCH, -1).sum(1)) == np.sort(crops[rows[0], 0].reshape(BATCH, -1).sum(1))
        ).all()
        batches = iter(rows)
        few = BATCHES if name != ".npz" else 3
        return {
            "format": name,
            "bytes": size_of(folder),
            "write_seconds": round(writing, 2),
            "random_batch_milliseconds": round(1e3 * seconds(lambda: some(next(batches)), few), 2),
            "one_area_in_order_seconds": round(seconds(lambda: whole(None), 3), 3),
        }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--faces", type=int, default=4096)
    parser.add_argument("--out", type=Path, help="writes OUT.json and OUT.md")
    args = parser.parse_args()
    cache = FaceCache.open(args.cache)
    n = min(args.faces, len(cache.index))
    crops = np.stack([[cut(cache.canvas(row), area, PUBLISHED_SPEC) for area in AREAS] for row in range(n)])
    results = []
    for name in FORMATS:
        try:
            results.append(measure(name, crops))
        except ImportError as error:
            results.append({"format": name, "missing": str(error)})
        print(results[-1], flush=True)
    load = os.getloadavg()[0]
    table = [
        "| format | size, MB | write, s | batch of 64 random faces, ms | one area of all, s |",
        "|---|---|---|---|---|",
    ]
    table += [
        f"| {r['format']} | {r['bytes'] / 1e6:.0f} | {r['write_seconds']:.2f} | {r['random_batch_milliseconds']:.2f} "
        f"| {r['one_area_in_order_seconds']:.3f} |"
        for r in results
        if "bytes" in r
    ]
    foot = f"{n:,} faces, seven areas, spec {PUBLISHED_SPEC.key}; load average {load:.1f} on {os.cpu_count()} cores"
    text = "\n".join([*table, "", foot, ""])
    print(text)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.with_suffix(".json").write_text(
            json.dumps({"faces": n, "load": load, "formats": results}, indent=1) + "\n"
        )
        args.out.with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
