"""``mien visibility``: how much of each eye, of nose and mouth can be seen; no emotion is looked for."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

from mien.errors import InputError, UsageError, path_of, writable
from mien.face.areas import PIECES
from mien.trust.visibility import FaceVisibility, photo_visibility

FIELDS = ("input", "face_id", "face_x", "face_y", "face_width", "face_height", *(f"hidden_{piece}" for piece in PIECES),
          "hidden")  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="photos")
    parser.add_argument("--models", type=Path, help="models folder (default: the shipped ones)")
    parser.add_argument("--image", type=Path, metavar="FILE.png", help="also draw it (one photo only)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--csv", action="store_true", help="print CSV, one row a face")


def run(args: argparse.Namespace) -> int:
    """Look, print, draw; a photo that cannot be read costs one sentence and never stops the others."""
    if args.image and len(args.photos) > 1:
        raise UsageError("--image draws one photo; give one")
    from mien.trust.visibility import VisibilityModel

    model, rows, code = VisibilityModel(args.models), [], 0
    for name in args.photos:
        try:
            faces, picture = photo_visibility(path_of(name), model)
        except InputError as error:
            print(f"mien: {error}", file=sys.stderr)
            code = error.exit_code
            continue
        rows += [_row(name, number, face) for number, face in enumerate(faces)]
        if not faces and not (args.json or args.csv):
            print(f"{writable(name)}: no face found")
        if args.image:
            from mien.face import images
            from mien.face.draw import visibility_picture

            marks = [(face.face, face.visibility.hidden, face.visibility.hidden_pieces) for face in faces]
            images.save(visibility_picture(picture, marks), args.image)
    print(_text(rows, args), end="")
    return code


def _row(name: str, number: int, face: FaceVisibility) -> dict[str, Any]:
    x0, y0, x1, y1 = (round(float(v), 1) for v in face.face.box)
    shares = {f"hidden_{piece}": round(face.visibility.hidden[piece], 4) for piece in PIECES}
    return {
        "input": writable(name), "face_id": number, "face_x": x0, "face_y": y0, "face_width": round(x1 - x0, 1),
        "face_height": round(y1 - y0, 1), **shares, "hidden": " ".join(face.visibility.hidden_pieces),
    }  # fmt: skip


def _text(rows: list[dict[str, Any]], args: argparse.Namespace) -> str:
    if args.json:
        return json.dumps(rows, indent=1) + "\n"
    if args.csv:
        out = io.StringIO()
        writer = csv.DictWriter(out, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue()
    if not rows:
        return ""
    lines = [f"{'hidden (percent)':<34}{'right eye':>10}{'left eye':>10}{'nose':>7}{'mouth':>7}  taken as hidden"]
    for row in rows:
        where = f"{Path(row['input']).name}, face {row['face_id'] + 1}"
        right, left, nose, mouth = (f"{row[f'hidden_{piece}']:.0%}" for piece in PIECES)
        said = row["hidden"].replace("_", " ").replace("right eye left eye", "both eyes") or "nothing"
        lines.append(f"{where[-34:]:<34}{right:>10}{left:>10}{nose:>7}{mouth:>7}  {said}")
    return "\n".join(lines) + "\n"
