"""RAF-DB basic (seven single labels), official or in Kaggle's re-pack. Aligned pictures, 100 x 100."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mien.data.dataset import Candidate, Dataset, Findings, finish
from mien.data.samples import Split
from mien.data.store import Store
from mien.errors import DatasetError
from mien.types import Emotion

LABELS: dict[str, Emotion] = {
    "1": Emotion.SURPRISE, "2": Emotion.FEAR, "3": Emotion.DISGUST, "4": Emotion.HAPPINESS,
    "5": Emotion.SADNESS, "6": Emotion.ANGER, "7": Emotion.NEUTRAL,
}  # fmt: skip

LIST = "EmoLabel/list_patition_label.txt"

_NAME = re.compile(r"(train)_\d{5}|(test)_\d{4}")

_COMPOUND = frozenset({"8", "9", "10", "11"})


def read_rafdb(name: str, store: Store) -> Dataset:
    """Read RAF-DB basic.

    Raises:
        DatasetError: neither layout is there, or it is the compound subset; names file and line.
    """
    bases = store.bases_of(LIST)
    if bases:
        return _read_official(name, store, bases)
    folders = _repack_base(store)
    if folders is not None:
        return _read_repack(name, store.below(folders))
    raise DatasetError(
        f"{store.root} is not RAF-DB basic: expected {LIST} (official), or train/1 to train/7 and test/1 to test/7 "
        "with pictures (Kaggle's re-pack)"
    )


def _read_official(name: str, store: Store, bases: list[str]) -> Dataset:
    tables = {base: _lines(store.below(base)) for base in bases}
    basic = [base for base, rows in tables.items() if not _is_compound(rows)]
    if not basic:
        raise DatasetError(
            f"{store.where(bases[0] + LIST)} is RAF-DB's compound subset (labels 1 to 11, compound emotions such as "
            "happily surprised), which has no basic labels: give the folder of the basic subset"
        )
    if len(basic) > 1:
        raise DatasetError(f"{store.root} holds more than one RAF-DB: {', '.join(b + LIST for b in basic)}; give one")
    below = store.below(basic[0])
    if not any(n.startswith("Image/aligned/") for n in below.names):
        raise DatasetError(f"{store.root}: {below.base}Image/aligned is missing or empty (unpack aligned.zip there)")
    findings = Findings()
    for base in bases:
        if base not in basic:
            findings.note(store.where(base + LIST), "the compound subset; it is not read")
    candidates = []
    for line, cells in tables[basic[0]]:
        where = below.where(LIST, line)
        if len(cells) != 2:
            findings.problem(where, f"expected a picture's name and a label, got {' '.join(cells)!r}")
            continue
        face = _candidate(cells[0], cells[1], where, "Image/aligned/{}_aligned.jpg", findings)
        candidates += [] if face is None else [face]
    return finish(name, below, "the official folders", {"reader": "rafdb"}, candidates, findings)


def _lines(store: Store) -> list[tuple[int, list[str]]]:
    return [(n, line.split()) for n, line in enumerate(store.lines(LIST), 1) if line.strip()]


def _is_compound(rows: list[tuple[int, list[str]]]) -> bool:
    """More than a slip of the pen: many labels above 7, or names that are mostly not those of the basic subset."""
    pairs = [cells for _, cells in rows if len(cells) == 2]
    above = sum(label in _COMPOUND for _, label in pairs)
    strange = sum(_NAME.fullmatch(picture.rsplit(".", 1)[0]) is None for picture, _ in pairs)
    return bool(pairs) and (above > 0.05 * len(pairs) or (above > 0 and strange > 0.5 * len(pairs)))


def _candidate(picture: str, label: str, where: str, member: str, findings: Findings) -> Candidate | None:
    """A face; ``member`` is the picture's path with ``{}`` for its name, such as train_00001."""
    stem = picture.rsplit(".", 1)[0].removesuffix("_aligned")
    match = _NAME.fullmatch(stem)
    if match is None:
        findings.problem(where, f"expected a name like train_00001.jpg or test_0001.jpg, got {picture}")
        return None
    if label not in LABELS:
        findings.problem(where, f"{stem} has the unknown label {label!r} (1 to 7 are known)")
        return None
    part: Split = "train" if match[1] else "test"
    return Candidate(stem, part, LABELS[label], member.format(stem), where)


def _repack_base(store: Store) -> str | None:
    """Prefix of Kaggle's ``DATASET/{train,test}/{1..7}``."""
    found = {
        match[1]
        for match in (re.fullmatch(r"(.*/|)(?:train|test)/[1-7]/[^/]+\.jpg", n) for n in store.names)
        if match is not None
    }
    return min(found, key=len) if found else None


def _read_repack(name: str, store: Store) -> Dataset:
    """The folders say the label; train_labels.csv and test_labels.csv, where they are, must agree."""
    findings = Findings()
    labels = _repack_labels(store, findings)
    pattern = re.compile(r"(train|test)/([^/]+)/([^/]+)\.jpg")
    candidates, seen = [], set()
    for match in _matches(pattern, store.names):
        part, folder, stem = match.groups()
        where = store.where(match[0])
        face = _candidate(stem, folder, where, f"{part}/{folder}/{{}}_aligned.jpg", findings)
        if face is None:
            continue
        if face.part != part:
            findings.problem(where, f"a {face.part} picture in the folder {part}")
            continue
        seen.add(face.id)
        listed = labels.get(face.id)
        if labels and listed is None:
            findings.problem(where, f"{face.id} is not in {part}_labels.csv")
        elif listed is not None and listed[0] != folder:
            findings.problem(where, f"{face.id} lies in the folder {folder}, but {listed[1]} says {listed[0]}")
        else:
            candidates.append(face)
    for stem, (_, where) in labels.items():
        if stem not in seen:
            findings.problem(where, f"the picture of {stem} is missing")
    return finish(name, store, "Kaggle's re-pack", {"reader": "rafdb"}, candidates, findings)


def _matches(pattern: re.Pattern[str], names: Iterable[str]) -> list[re.Match[str]]:
    """Train before test, each by name."""
    found = [match for match in (pattern.fullmatch(n) for n in names) if match is not None]
    return sorted(found, key=lambda m: (m[1] != "train", m[3], m[2]))


def _repack_labels(store: Store, findings: Findings) -> dict[str, tuple[str, str]]:
    """Picture -> (label, where it is said); empty without label files."""
    above = Store(store.root)
    labels: dict[str, tuple[str, str]] = {}
    for part in ("train", "test"):
        for base in above.bases_of(f"{part}_labels.csv")[:1]:
            file = f"{base}{part}_labels.csv"
            for line, cells in above.table(file)[1]:
                where = above.where(file, line)
                if len(cells) != 2:
                    findings.problem(where, f"expected image,label, got {','.join(cells)}")
                    continue
                stem = cells[0].rsplit(".", 1)[0].removesuffix("_aligned")
                if stem in labels and labels[stem][0] != cells[1]:
                    findings.problem(where, f"{stem} has two labels ({labels[stem][1]} says {labels[stem][0]})")
                labels[stem] = (cells[1], where)
    return labels
