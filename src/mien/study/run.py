"""``mien study``: the plan, its cost, and doing what is not done yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mien.data import Dataset
from mien.data.cache import FaceCache
from mien.errors import UsageError
from mien.jobs import places
from mien.jobs.progress import duration
from mien.jobs.steps import Say, Step, StepLog, do_all
from mien.study.cost import Speeds, core_seconds_spent, epochs_done, preparation_seconds
from mien.study.evidence import evidence_of, stages_text
from mien.study.facts import code_key, facts
from mien.study.plan import PlannedRun
from mien.study.presets import preset_of
from mien.study.report import Setting
from mien.study.report import write as write_report
from mien.study.tasks import seconds_left, steps_of
from mien.study.trainings import DataSet
from mien.train.config import TrainConfig, epochs_of

REPORT_SECONDS = 60.0
"""Expected of a report until one was written; the log then knows."""


@dataclass(frozen=True)
class StudyConfig:
    """What to study and where to put it.

    Attributes:
        sources: the data sets, prepared; or, to plan only, as read.
        out: gets report.html, results, figures, settings.json and steps.jsonl.
        preset: paper, default, cpu or quick.
        runs: folder of trainings, shared with the shipped models.
        train: False reports from the trainings that are finished and trains nothing.
        show_faces: the report may show pictures of the data sets' people.
        command: as typed, for the report.
    """

    sources: tuple[FaceCache | Dataset, ...]
    out: Path
    preset: str = "default"
    runs: Path = field(default_factory=places.runs)
    train: bool = True
    show_faces: bool = True
    command: str = "mien study"


@dataclass
class Study:
    """One study, opened.

    Raises:
        UsageError: no data set, two of one name, or no such preset.
        DatasetError: a cache is incomplete.
    """

    config: StudyConfig
    say: Say = print
    sets: list[DataSet] = field(init=False)
    planned: list[PlannedRun] = field(init=False)

    def __post_init__(self) -> None:
        self.preset = preset_of(self.config.preset)
        if not self.config.sources:
            raise UsageError("a study needs data: give --data NAME:ROOT or --cache FOLDER")
        runs = self.config.runs.expanduser()
        self.sets = [
            DataSet.of_cache(source, runs) if isinstance(source, FaceCache) else DataSet.of_samples(source, runs)
            for source in self.config.sources
        ]
        names = [data.name for data in self.sets]
        if len(set(names)) < len(names):
            raise UsageError(f"two data sets have one name: {', '.join(names)}")
        self.planned = self.preset.runs()
        self.log = StepLog.open(self.config.out)

    def trainings(self) -> list[tuple[DataSet, TrainConfig]]:
        """Every training of every data set once, in order."""
        return [(data, config) for data in self.sets for config in dict.fromkeys(run.config for run in self.planned)]

    def speeds(self) -> Speeds:
        """This machine's, measured."""
        return Speeds.of([config for _, config in self.trainings()], self.sets)

    def steps(self) -> list[Step]:
        """Everything up to the report, in order."""
        speeds = self.speeds()
        found = [step for data in self.sets for step in steps_of(data, self.planned, speeds, self.config.train)]
        return [*found, self._report_step()]

    def run(self) -> Path:
        """Do everything that is not done yet; returns the report."""
        if not do_all(self.steps(), self.log, self.say):
            self.say("everything was done before; the report is up to date")
        return self.config.out / "report.html"

    def plan_text(self) -> str:
        """The plan with its cost, as ``--dry-run`` prints it."""
        speeds, finding = self.speeds(), self._preparations()
        lines, whole, left = [f"preset {self.preset.name}: {self.preset.protocol}", ""], 0.0, 0.0
        lines += [f"{name}: prepare {faces:,} faces, {duration(cost)}  not begun" for name, faces, cost in finding]
        for data, config in self.trainings():
            cost, rest = speeds.seconds(config, data.training_faces(config)), seconds_left(data, config, speeds)
            whole, left = whole + cost, left + rest
            name = f"{data.name}: {config.name}"
            lines.append(f"{name:54} {stages_text(config):36} {duration(cost):>12}  {_state(data, config)}")
        steps = [step for step in self.steps() if not step.name.startswith("train ")]
        others = sum(step.seconds() for step in steps)
        undone = sum(step.seconds() for step in steps if not self.log.holds(step))
        lines += ["", *speeds.lines(), ""]
        lines.append(f"{len(self.trainings())} trainings: {duration(whole)}, of which left: {duration(left)}")
        lines.append(f"predictions, class maps, report: {duration(others)}, of which left: {duration(undone)}")
        before = sum(cost for _, _, cost in finding)
        lines.append(f"in all: {duration(before + whole + others)}, of which left: {duration(before + left + undone)}")
        return "\n".join(lines)

    def _preparations(self) -> list[tuple[str, int, float]]:
        """Name, faces and expected seconds of the data sets that are not prepared yet."""
        unprepared = [source for source in self.config.sources if isinstance(source, Dataset)]
        return [(d.name, len(d.samples), preparation_seconds(d)) for d in unprepared]

    def _report_step(self) -> Step:
        out = self.config.out

        def inputs() -> list[Any]:
            found: list[Any] = [self.config.preset, self.config.show_faces, code_key()]
            for data in self.sets:
                states = [(r.config.name, r.role, core_seconds_spent(data.folder(r.config))) for r in self.planned]
                kept = [data.predictions_file(r.config).name for r in self.planned if data.finished(r.config)]
                found.append([data.name, data.key if data.prepared else "", states, kept])
            return found

        def run(say: Say) -> bool:
            if self.config.train and not all(data.finished(config) for data, config in self.trainings()):
                return False
            say("tables, figures and page")
            self._write()
            return True

        files = (out / "report.html", out / "settings.json")
        return Step("report", lambda: files, run, lambda: self.log.seconds_of("report", REPORT_SECONDS), inputs)

    def _write(self) -> None:
        setting, out = self.setting(), self.config.out
        write_report([evidence_of(data, self.planned, data.runs / ".kept") for data in self.sets], setting, out)

    def setting(self) -> Setting:
        """How this study was run, for the report."""
        preset = self.preset
        return Setting(
            preset.name, preset.protocol, preset.select_on, preset.best_run, self.config.command, facts(self.sets),
            self.config.show_faces,
            tuple({"run": c.name, **c.to_dict()} for c in dict.fromkeys(r.config for r in self.planned)),
        )  # fmt: skip


def _state(data: DataSet, config: TrainConfig) -> str:
    if data.finished(config):
        return "finished"
    done = epochs_done(data.folder(config))
    return f"epoch {done} of {len(epochs_of(config.stages))}" if done else "not begun"
