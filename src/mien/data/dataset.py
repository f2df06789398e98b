"""What a reader hands over: samples, what is wrong with the rest by name, and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from mien.data.published import PUBLISHED_COUNTS
from mien.data.samples import SPLITS, Sample, Split
from mien.data.selection import carve_validation, held_out
from mien.data.store import Store
from mien.errors import DatasetError, writable
from mien.types import EMOTIONS, N_EMOTIONS, Emotion, Float32

VALIDATION_SHARE = 0.1

VALIDATION_SEED = 0

SplitRule = Literal["default", "published"]

SPLIT_RULES: tuple[SplitRule, ...] = ("default", "published")


@dataclass(frozen=True)
class Problem:
    """Something missing, broken or noteworthy.

    Attributes:
        where: file and line: ``label/label.lst, line 12``.
        text: what is wrong, or what was done about it.
    """

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


@dataclass(frozen=True, eq=False)
class Dataset:
    """A labelled data set, read but not prepared.

    Attributes:
        name: ``ferplus``, ``rafdb``, ``expw`` or the user's own.
        store: where it lies.
        layout: which of the known layouts was found, in words.
        rule: settings that decided labels and splits, for the record.
        samples: every usable face, in the data set's own order.
        where: for each sample, file and line of its label.
        problems: missing or broken faces, by name; they are not among the samples.
        notes: what was handled, by name.
        left_out: rule -> how many faces it left out.
    """

    name: str
    store: Store
    layout: str
    rule: dict[str, str]
    samples: tuple[Sample, ...]
    where: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The folder or zip."""
        return self.store.root

    def counts(self, selection: Literal["published", "majority"] = "published") -> pd.DataFrame:
        """Faces a split (rows: train, validation, test) and emotion (columns, canonical order, then ``total``)."""
        found = Counter(
            (s.split, s.label) for s in self.samples if (s.published if selection == "published" else s.majority)
        )
        table = pd.DataFrame({e.value: [found[split, e] for split in SPLITS] for e in EMOTIONS}, index=list(SPLITS))
        table["total"] = table.sum(axis=1)
        return table

    def comparison(self) -> pd.DataFrame | None:
        """Counts beside the paper's: rows (split, emotion or ``total``), columns found, paper, difference, percent.

        The paper's train is our train and validation together. None for a data set the paper does not have.
        """
        if self.rule.get("reader") not in PUBLISHED_COUNTS:
            return None
        found = self.counts()
        parts = {"train": found.loc[["train", "validation"]].sum().to_dict(), "test": found.loc["test"].to_dict()}
        rows = []
        for split, paper in PUBLISHED_COUNTS[self.rule["reader"]].items():
            numbers = {e.value: n for e, n in paper.items()} | {"total": sum(paper.values())}
            for name, expected in numbers.items():
                got = int(parts[split][name])
                rows.append((split, name, got, expected, got - expected, 100 * (got - expected) / expected))
        return pd.DataFrame(rows, columns=["split", "emotion", "found", "paper", "difference", "percent"])


@dataclass(frozen=True, eq=False)
class Candidate:
    """A face as its label file names it, before anything was checked."""

    id: str
    part: Split
    label: Emotion
    member: str
    where: str
    box: Float32 | None = None
    votes: Float32 | None = None
    majority: bool = True
    published: bool = True
    group: str = ""
    row: int = 0


class Findings:
    """Problems and notes as they come up while a label file is read."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        self.left_out: dict[str, int] = {}

    def problem(self, where: str, text: str) -> None:
        """A face that cannot be used."""
        self.problems.append(Problem(where, text))

    def note(self, where: str, text: str) -> None:
        """Something that was handled."""
        self.notes.append(Problem(where, text))

    def left_behind(self, where: str, why: str) -> None:
        """What the folder holds and was not read: unreadable things may be faces, links that lead back are none."""
        if why.startswith("may not be read"):
            self.problem(writable(where), why)
        else:
            self.note(writable(where), f"{why}; it is left out")

    def leave_out(self, rule: str) -> None:
        """A face that a selection rule leaves out."""
        self.left_out[rule] = self.left_out.get(rule, 0) + 1


def finish(
    name: str,
    store: Store,
    layout: str,
    rule: dict[str, str],
    candidates: Sequence[Candidate],
    findings: Findings,
    table: str = "",
) -> Dataset:
    """Carve validation, take each face once, and leave out what has no picture.

    Args:
        table: name of the csv that holds the pictures as rows; "" where each is a file.

    Raises:
        DatasetError: nothing is left.
    """
    for left, why in store.left_out:
        findings.left_behind(left, why)
    parts = _with_validation(candidates)
    kept = _once(candidates, parts, findings)
    samples: list[Sample] = []
    where: list[str] = []
    for position in kept:
        face = candidates[position]
        member = table or store.find(face.member)
        if member is None:
            findings.problem(face.where, _missing(store, face.member))
            continue
        source = f"{store.source(table)}::{face.row}" if table else store.source(member)
        votes = one_hot(face.label) if face.votes is None else face.votes
        samples.append(
            Sample(
                writable(face.id),
                name,
                parts[position],
                source,
                face.box,
                face.label,
                votes,
                face.majority,
                face.published,
            )
        )
        where.append(face.where)
    if not samples:
        hint = f" ({findings.problems[0]})" if findings.problems else ""
        raise DatasetError(f"{store.root}: no usable face was found as {layout}{hint}")
    return Dataset(
        name, store, layout, rule, tuple(samples), tuple(where),
        tuple(findings.problems), tuple(findings.notes), findings.left_out,
    )  # fmt: skip


def _missing(store: Store, member: str) -> str:
    outside = member.startswith(("/", "../")) or "/../" in member
    more = f" (or lies outside of {store.root})" if outside else ""
    return f"the picture {member if member.startswith('/') else store.base + member} is missing{more}"


def one_hot(label: Emotion) -> Float32:
    """float32 [8]."""
    votes = np.zeros(N_EMOTIONS, np.float32)
    votes[label.position] = 1
    return votes


def _with_validation(candidates: Sequence[Candidate]) -> list[Split]:
    """Every face's split, a tenth of train being carved for validation unless there is one already.

    Only faces of the published selection are carved, before repeats and missing pictures are left out, so that the
    validation faces stay the same when a picture is lost.
    """
    parts = [face.part for face in candidates]
    if "validation" in parts:
        return parts
    train = [i for i, face in enumerate(candidates) if face.part == "train" and face.published]
    labels = np.array([candidates[i].label.position for i in train], np.int64)
    groups = [candidates[i].group for i in train]
    if any(groups):
        chosen = held_out(labels, groups, VALIDATION_SHARE, VALIDATION_SEED)
    else:
        chosen = carve_validation(labels, VALIDATION_SHARE, VALIDATION_SEED)
    for position, carved in zip(train, chosen, strict=True):
        if carved:
            parts[position] = "validation"
    return parts


def _once(candidates: Sequence[Candidate], parts: Sequence[Split], findings: Findings) -> list[int]:
    """Positions of the faces to keep: each id once, none where its labels or its splits contradict each other."""
    copies: dict[str, list[int]] = {}
    for position, face in enumerate(candidates):
        copies.setdefault(face.id, []).append(position)
    kept = []
    for name, positions in copies.items():
        if len(positions) == 1:
            kept.append(positions[0])
            continue
        places = " and ".join(candidates[i].where for i in positions)
        if len({candidates[i].label for i in positions}) > 1 or len({candidates[i].part for i in positions}) > 1:
            for i in positions:
                findings.problem(
                    candidates[i].where, f"{name} is named {len(positions)} times and differently ({places})"
                )
            continue
        findings.note(places, f"{name} is named {len(positions)} times; it is taken once")
        held = [i for i in positions if parts[i] == "validation"]
        kept.append(held[0] if held else positions[0])
    return sorted(kept)


def summary_of(problems: Iterable[Problem], limit: int = 5) -> str:
    """The first few problems in one sentence."""
    listed = list(problems)
    more = f"; and {len(listed) - limit:,} more" if len(listed) > limit else ""
    return "; ".join(str(p) for p in listed[:limit]) + more
