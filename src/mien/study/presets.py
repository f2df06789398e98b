"""The four presets of the study, each a dataclass that says what it does and what its numbers may be called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mien.errors import UsageError
from mien.study.plan import PlannedRun, cpu_runs, default_runs, paper_runs, quick_runs


@dataclass(frozen=True)
class Preset:
    """One way to run the study.

    Attributes:
        name: ``paper``, ``default``, ``cpu`` or ``quick``.
        runs: the trainings for one data set, most wanted first.
        select_on: the split that chooses between epochs and runs.
        best_run: True reports the best run of an area (published protocol); False the mean over seeds.
        protocol: one sentence for the head of the report.
    """

    name: str
    runs: Callable[[], list[PlannedRun]]
    select_on: str
    best_run: bool
    protocol: str


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "paper", paper_runs, "test", True,
            "Published protocol to the letter: Adam at 0.05, at most 100 epochs at 64 pixels, early stopping, five "
            "runs; "
            "THE TEST SET CHOOSES the epoch and the best of five runs, so every number here is optimistic.",
        ),
        Preset(
            "default", default_runs, "validation", False,
            "Every epoch at the published 64 pixels, five seeds (one for the comparison of crops). The validation "
            "split watches the training; the test set chooses nothing. Numbers are means over seeds.",
        ),
        Preset(
            "cpu", cpu_runs, "validation", False,
            "What two cores can carry: most epochs at 32 pixels, ending at the published 64 pixels; three seeds for "
            "the seven areas, one seed for the visualisation network; the comparison of crops at one seed on one short "
            "schedule, one any-area network a way of cutting. The validation split chooses the stage (side of the "
            "crops) that is reported; the test set chooses nothing. Numbers are means over seeds.",
        ),
        Preset(
            "quick", quick_runs, "validation", False,
            "Minutes only: at most 2,000 training faces, one epoch at 32 pixels, one seed; the comparison of crops by "
            "one any-area network a way of cutting. It shows that every step works; its numbers say "
            "nothing about faces.",
        ),
    )
}  # fmt: skip


def preset_of(name: str) -> Preset:
    """A preset by name.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in PRESETS:
        raise UsageError(f"no preset is called {name!r}: choose from {', '.join(PRESETS)}")
    return PRESETS[name]
