"""What came out of a run over videos, as an object, as text and as HTML."""

from __future__ import annotations

import html
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mien.analyze.video.series import Series


def result_text(result: VideoResult) -> str:
    """One paragraph a video, one line a face, one line a stretch in which it is hidden."""
    return "\n\n".join(_video_text(result, path) for path in result.frames)


def _video_text(result: VideoResult, path: str) -> str:
    faces = _faces_of(result, path)
    lines = [f"{path}: {result.frames[path]:,} frames, {len(faces)} {'face' if len(faces) == 1 else 'faces'}"]
    for one in faces:
        lines.append(f"  face {one.face_id}: {_times(one)} s, {len(one.times):,} frames; {_shares(one)}")
        lines += [f"    {stretch}" for stretch in one.stretches]
    return "\n".join(lines)


def result_html(result: VideoResult) -> str:
    """A table with one row a face, for a notebook."""
    head = "".join(f"<th>{name}</th>" for name in ("video", "face", "seconds", "frames", "says", "hidden"))
    rows = [
        [path, str(one.face_id), _times(one), f"{len(one.times):,}", _shares(one), "; ".join(map(str, one.stretches))]
        for path in result.frames
        for one in _faces_of(result, path)
    ]
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    problems = "".join(f"<p>{html.escape(f'{path}: {sentence}')}</p>" for path, sentence in result.problems)
    return f"<table><tr>{head}</tr>{body}</table>{problems}"


def _faces_of(result: VideoResult, path: str) -> list[Series]:
    return [one for one in result.series if one.input == path]


def _times(one: Series) -> str:
    return f"{one.times[0]:.1f} to {one.times[-1]:.1f}"


def _shares(one: Series) -> str:
    """The three answers that hold longest, with their share of the answered frames."""
    said = Counter(emotion for emotion in one.said if emotion is not None)
    answered = sum(said.values())
    return ", ".join(f"{emotion} {n / answered:.0%}" for emotion, n in said.most_common(3)) or "no answer"


@dataclass(frozen=True, eq=False)
class VideoResult:
    """What came out.

    Attributes:
        out: the table, with :data:`~mien.analyze.video.series.VIDEO_COLUMNS`.
        series: every face of every video.
        frames: analysed frames, by video.
        problems: what could not be read, as (video, sentence).
    """

    out: Path
    series: list[Series]
    frames: dict[str, int]
    problems: list[tuple[str, str]]

    def _repr_html_(self) -> str:

        return result_html(self)

    def __str__(self) -> str:

        return result_text(self)
