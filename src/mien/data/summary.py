"""What a preparation did: faces a detector, and how fast."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.data.cache import FaceCache
from mien.data.find import DETECTOR_CODES
from mien.data.samples import SPLITS
from mien.types import Float64, UInt8


@dataclass(frozen=True)
class Preparation:
    """What a preparation did.

    Attributes:
        folder: the cache.
        report: plain values for JSON: counts a detector, speed (where faces were found by this run), settings.
    """

    folder: Path
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def cache(self) -> FaceCache:
        """The cache, opened."""
        return FaceCache.open(self.folder)

    def lines(self) -> Iterator[str]:
        """The report in sentences."""
        r = self.report
        parts = ", ".join(f"{split} {n:,}" for split, n in r["published_faces"].items())
        others = r["faces"] - sum(r["published_faces"].values())
        kept = f"; {others:,} more are kept by the majority rule only" if others else ""
        yield f"{r['faces']:,} faces in {self.folder}"
        yield f"splits: {parts}{kept}"
        found = ", ".join(
            f"{name} {n:,} ({n / r['faces']:.1%})" for name, n in r["detectors"].items() if name != "frame"
        )
        fallen = r["detectors"]["frame"]
        yield f"face found by: {found}; fallen back to the whole frame: {fallen:,} ({fallen / r['faces']:.1%})"
        for text in r.get("skipped", []):
            yield f"skipped: {text}"
        if "speed" in r:
            yield from _speed_lines(r["speed"])


def _speed_lines(speed: dict[str, Any]) -> Iterator[str]:
    for clock, words in (("wall", "by the clock"), ("processor", "by processor time")):
        part = speed[clock]
        times = (
            f"{name} {t['mean']:.1f} ms (median {t['median']:.1f})" for name, t in part["milliseconds_a_face"].items()
        )
        yield f"a face takes one core, {words}: {', '.join(times)}"
        if "images_per_second_where_hog_finds_the_face" in part:
            rate = part["images_per_second_where_hog_finds_the_face"]
            yield f"  where HOG finds the face: {rate:.0f} images/s with {speed['workers']} workers"
        if "cnn_fallback_costs_milliseconds_a_face" in part:
            cost = part["cnn_fallback_costs_milliseconds_a_face"]
            yield f"  the CNN fallback costs {cost:.0f} ms more for each face that needs it"
    if speed["faces_found_by_this_run"]:
        load = speed["load_average_before"]
        beside = "" if load is None else f"; load average before it began {load:g} on {speed['cores']} cores"
        yield (
            f"this run found {speed['faces_found_by_this_run']:,} faces in {speed['seconds_this_run']:.0f} s "
            f"({speed['images_per_second_this_run']:.0f} images/s{beside})"
        )


def contents(folder: Path) -> dict[str, Any]:
    """Counts of a finished cache."""
    index = pd.read_parquet(folder / "index.parquet", columns=["split", "detector", "published"])
    found = {name: int((index["detector"] == name).sum()) for name in DETECTOR_CODES}
    published = index.loc[index["published"], "split"]
    return {
        "cache": folder.name,
        "faces": len(index),
        "published_faces": {split: int((published == split).sum()) for split in SPLITS},
        "detectors": found,
        "detected_percent": round(100 * (1 - found["frame"] / len(index)), 2),
    }


def speed_of(detectors: UInt8, seconds: Float64, cpu_seconds: Float64, workers: int, fallback: bool) -> dict[str, Any]:
    """Images a second and milliseconds a face, from the times of the single faces.

    Args:
        detectors: uint8 [N], positions in DETECTOR_CODES.
        seconds: float64 [N], by the clock on the wall.
        cpu_seconds: float64 [N], of the processor.
        workers: how many worked beside each other.
        fallback: whether CNN was tried where HOG found none.
    """
    speed: dict[str, Any] = {"workers": workers, "cores": os.cpu_count(), "wall": {}, "processor": {}}
    for clock, taken in (("wall", seconds), ("processor", cpu_seconds)):
        times = {name: 1e3 * taken[detectors == code] for code, name in enumerate(DETECTOR_CODES)}
        part = speed[clock]
        part["milliseconds_a_face"] = {
            name: {"faces": len(t), "mean": round(float(t.mean()), 2), "median": round(float(np.median(t)), 2)}
            for name, t in times.items()
            if len(t)
        }
        hog, others = times["hog"], np.concatenate([times["cnn"], times["frame"]])
        if len(hog):
            part["images_per_second_where_hog_finds_the_face"] = round(1e3 * workers / float(hog.mean()), 1)
        if len(hog) and len(others) and fallback:
            part["cnn_fallback_costs_milliseconds_a_face"] = round(float(others.mean() - hog.mean()), 1)
    return speed


def wall_clock(faces: int, before: int | None, seconds: float, load: float | None) -> dict[str, Any]:
    """This run by the clock on the wall; an earlier run's share does not count.

    Args:
        faces: in the cache.
        before: of these, how many an earlier run had found; None is all.
        seconds: this run took until the last face was found.
        load: load average before it began: a speed measured beside other work should say so.
    """
    done = 0 if before is None else faces - before
    return {
        "faces_found_by_earlier_runs": faces - done,
        "faces_found_by_this_run": done,
        "seconds_this_run": round(seconds, 1),
        "images_per_second_this_run": round(done / max(seconds, 1e-9), 1),
        "load_average_before": load,
    }
