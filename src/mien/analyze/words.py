"""Answers for people: a table for the terminal, HTML for notebooks, the card of a drawn picture."""

from __future__ import annotations

import base64
import html
import shutil
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mien.face.detect import FOUND_BY
from mien.face.draw import Bar, Card, Group
from mien.trust.authenticity import times
from mien.types import EMOTIONS, PARTS, Area, Prediction, UInt8

if TYPE_CHECKING:
    from mien.analyze.answers import Answer, Answers

WIDE = 99
"""Characters that a table with whole names of emotions may take."""


def picture_text(answers: Answers, width: int | None = None) -> str:
    """All faces of a picture as text.

    Args:
        answers: of one picture.
        width: of the terminal in characters; None asks it. Names of emotions are cut to four letters below 99.
    """
    height, across = answers.image.shape[:2]
    count = len(answers)
    head = f"{answers.input or 'picture'}: {across} x {height} pixels, "
    if not count:
        return head + "no face found"
    head += "1 face" if count == 1 else f"{count} faces"
    faces = [f"Face {i}{_where(a)}\n{face_text(a, width)}" for i, a in enumerate(answers, 1)]
    return "\n\n".join([head, *faces])


def face_text(answer: Answer, width: int | None = None) -> str:
    """One face as text: the answer, its areas as a table, what spoke for it, and notes."""
    lines = [*answer_lines(answer), "", *_table(answer, width)]
    if spoke_of(answer):
        lines += ["", spoke_of(answer)]
    return "\n".join(lines + [f"Note: {note}" for note in answer.notes])


def answer_lines(answer: Answer) -> list[str]:
    """The answer in words, one sentence a line."""
    seen = [part.value for part in PARTS if part in answer.visibility.visible]
    hidden = [part.value for part in PARTS if part not in answer.visibility.visible]
    lines = [title_of(answer)]
    if answer.fused is not None and answer.fused.prediction_set:
        lines.append(f"Possible: {' or '.join(e.value for e in answer.fused.prediction_set)}.")
    said = "taken as" if answer.visibility.given else "found"
    lines.append(
        f"Visible ({said}): {', '.join(seen) or 'nothing'}." + (f" Hidden: {', '.join(hidden)}." * bool(hidden))
    )
    return lines


LOW = 0.7
"""Answers that are right less often than this are said with *perhaps* and name the next likely emotion."""


def said_of(prediction: Prediction) -> str:
    """``happiness``, or ``perhaps happiness, or anger`` where it cannot be trusted far."""
    right = prediction.p_correct
    if right is None or right.value >= LOW:
        return prediction.emotion.value
    order = np.argsort(-prediction.probabilities, kind="stable")
    second = next(EMOTIONS[i] for i in order if EMOTIONS[i] is not prediction.emotion)
    return f"perhaps {prediction.emotion.value}, or {second.value}"


def title_of(answer: Answer) -> str:
    """``happiness: right 94 times in 100 (91 to 96)``."""
    if answer.fused is None:
        return "no answer: no part of the face is visible"
    words = f"{said_of(answer.fused)}: {right_of(answer.fused)}"
    return f"no answer: {words} is less than was asked for" if answer.abstained else words


def right_of(prediction: Prediction) -> str:
    """How far it can be trusted, in words: ``right 94 times in 100 (91 to 96)``."""
    right = prediction.p_correct
    if right is None:
        return f"{prediction.probabilities.max():.0%}, not calibrated"
    return f"right {times(right.value)} ({_percent(right.low)} to {_percent(right.high)})"


def _percent(share: float) -> str:
    """``93``; one decimal near the ends, so that nothing reads as certain that is not: 0.9996 -> ``99.9``."""
    value = share * 100
    return f"{value:.0f}" if 0.5 <= value < 99.5 or share in (0, 1) else f"{min(max(value, 0.1), 99.9):.1f}"


def spoke_of(answer: Answer) -> str:
    """``What spoke for happiness: mouth +1.2 bits, eyes -0.3 bits``; empty where it was not computed."""
    if answer.fused is None or not answer.contributions:
        return ""
    shares = sorted(answer.contributions.items(), key=lambda item: -item[1])
    words = ", ".join(f"{part.value} {bits:+.1f} bits" for part, bits in shares)
    return f"What spoke for {answer.fused.emotion.value}: {words}"


def _where(answer: Answer) -> str:
    x0, y0, x1, y1 = (round(float(v)) for v in answer.face.box)
    how = {"frame": "whole picture taken", "given": "given", "track": "followed"}.get(
        answer.face.detector,
        f"found by {FOUND_BY.get(answer.face.detector, answer.face.detector)}, score {answer.face.score:.2f}",
    )
    return f" at ({x0}, {y0}) to ({x1}, {y1}), {answer.face.size:.0f} pixels, {how}"


def _table(answer: Answer, width: int | None) -> list[str]:
    wide = (shutil.get_terminal_size((120, 24)).columns if width is None else width) >= WIDE
    names = [e.value if wide else e.value[:4] for e in EMOTIONS]
    lines = ["area (percent)  " + " ".join(names) + "  right"]
    for area, prediction in answer.shown.items():
        cells = [f"{p * 100:.0f}".rjust(len(n)) for n, p in zip(names, prediction.probabilities, strict=True)]
        mark = "*" if area is answer.area else "-" if area in answer.hidden_areas else " "
        right = "" if area in answer.hidden_areas else _right_cell(prediction)
        lines.append(f"{area.words:<14}{mark} {' '.join(cells)}  {right}".rstrip())
    if answer.area is not None:
        unused = "; - shows a hidden part, not used" if answer.hidden_areas else ""
        lines.append(f"* the answer, from all that is visible{unused}")
    return lines


def _right_cell(prediction: Prediction) -> str:
    """``93 (91 to 95)``; ``?`` marks low trust: ``55? (48 to 61)``."""
    right = prediction.p_correct
    if right is None:
        return "?"
    return f"{_percent(right.value)}{'?' * (right.value < LOW)} ({_percent(right.low)} to {_percent(right.high)})"


def card_of(answer: Answer, number: int) -> Card:
    """What :func:`mien.face.draw.annotate` writes beside the photo."""
    said = said_of(answer.fused) if answer.fused is not None and answer.emotion else "no answer"
    tag = f"{number}: {said}"
    fused = []
    if answer.fused is not None:
        fused = [Bar(e.value, float(p), f"{p:.0%}") for e, p in zip(EMOTIONS, answer.fused.probabilities, strict=True)]
    areas = [_area_bar(answer, area) for area in answer.predictions]  # the answer's own row carries its number
    groups = [
        Group("probability of each emotion, from what is visible", fused),
        Group("each area alone: what its network saw and says, and how often such an answer is right", areas),
    ]
    title = f"{number}  {title_of(answer).partition(':')[0]}"
    return Card(title, _card_lines(answer), [group for group in groups if group.bars], tag)


def _card_lines(answer: Answer) -> list[str]:
    lines = answer_lines(answer)
    words = lines[0].partition(": ")[2]
    spoke = [spoke_of(answer) + "."] if spoke_of(answer) else []
    return [words[:1].upper() + words[1:] + ".", *lines[1:], *spoke, *answer.notes]


def _area_bar(answer: Answer, area: Area) -> Bar:
    prediction, hidden = answer.shown[area], area in answer.hidden_areas
    right = prediction.p_correct
    share = float(prediction.probabilities.max()) if right is None else right.value
    words = "hidden, not used" if hidden else f"{said_of(prediction)}, {_right_words(prediction)}"
    return Bar(area.words, share, words, hidden, answer.crops[area].pixels if area in answer.crops else None)


def _right_words(prediction: Prediction) -> str:
    right = prediction.p_correct
    if right is None:
        return "not calibrated"
    return f"right {_percent(right.value)}% ({_percent(right.low)} to {_percent(right.high)})"


def picture_html(answers: Answers) -> str:
    """HTML for a notebook: the drawn picture and a table a face. Self-contained."""
    drawn = answers.annotated()
    parts = [f'<img alt="{html.escape(picture_text(answers, 120).splitlines()[0])}" style="max-width:100%" '
             f'src="data:image/jpeg;base64,{_jpeg(drawn)}">']  # fmt: skip
    parts += [face_html(answer, number) for number, answer in enumerate(answers, 1)]
    return "<div>" + "".join(parts) + "</div>" if answers else f"<div>{html.escape(picture_text(answers))}</div>"


def face_html(answer: Answer, number: int | None = None) -> str:
    """One face as an HTML table: areas down, emotions across, authenticity last."""
    head = "".join(f"<th>{html.escape(e.value)}</th>" for e in EMOTIONS)
    rows = "".join(_html_row(area, p, area in answer.hidden_areas) for area, p in answer.shown.items())
    words = html.escape(title_of(answer) if number is None else f"Face {number}: {title_of(answer)}")
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in answer.notes)
    return f"<h4>{words}</h4><table><tr><th>area</th>{head}<th>right</th></tr>{rows}</table>{notes}"


def _html_row(area: Area, prediction: Prediction, hidden: bool) -> str:
    cells = "".join(
        f'<td style="background:rgba(66,103,178,{p:.2f});text-align:right">{p:.0%}</td>'
        for p in prediction.probabilities
    )
    fade = ' style="opacity:0.4"' if hidden else ""
    low = prediction.p_correct is not None and prediction.p_correct.value < LOW
    right = "" if hidden else html.escape(_right_cell(prediction))
    shown = f'<td style="font-style:italic;opacity:0.7">{right}</td>' if low else f"<td>{right}</td>"
    return f"<tr{fade}><td>{html.escape(area.words)}</td>{cells}{shown}</tr>"


def _jpeg(image: UInt8) -> str:
    """Base64; a photo as PNG would make a notebook several times larger."""
    _, coded = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return base64.b64encode(coded.tobytes()).decode("ascii")
