"""The options of an Analyzer on the command line: the same for photos, folders and videos."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mien.cli.limits import limits_of
from mien.face.device import DEVICES
from mien.face.providers import device_of
from mien.trust.prior import Prior

if TYPE_CHECKING:
    from mien.analyze.options import AnalyzerOptions

PRIOR_HELP = (
    "mix of emotions among the faces: balanced, ferplus, emotion=share,..., or a file (csv: emotion,share; json); "
    "without it that of FER+, on which mien was calibrated"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument(
        "--area", action="append", metavar="AREA",
        help="what is visible: eyes, nose, mouth (repeat for several), nose_mouth, nose_eyes, mouth_eyes, whole_face; "
        "without it mien finds out",
    )  # fmt: skip
    parser.add_argument(
        "--detector", choices=("mesh", "dlib", "hog", "cnn"), default="mesh",
        help="mesh (default), or dlib: HOG, then CNN where it finds none (hog, cnn: only one of them)",
    )  # fmt: skip
    parser.add_argument(
        "--min-face", type=float, default=40.0, metavar="PX", help="smallest face looked for: its longer side (40)"
    )
    parser.add_argument("--network", metavar="NAME", help="resnet or vgg; without it the models' default")
    parser.add_argument("--models", type=Path, metavar="DIR", help="a folder of models made by  mien export")
    parser.add_argument(
        "--coverage", type=float, metavar="P", help="also list emotions that hold the right one, e.g. 0.9"
    )
    parser.add_argument(
        "--min-p-correct",
        type=float,
        default=0.0,
        metavar="P",
        help="give no answer whose p_correct is below this",
    )
    parser.add_argument(
        "--device", choices=DEVICES, default="auto",
        help="where the networks run; auto: an accelerator that the installed onnxruntime can use, else the cpu",
    )  # fmt: skip
    parser.add_argument("--prior", type=Prior.parse, metavar="MIX", help=PRIOR_HELP)


def options_of(args: argparse.Namespace) -> AnalyzerOptions:
    """What was asked for; a device that cannot be used is said in one sentence on standard error.

    Raises:
        UsageError: an option has a value that is not known.
    """
    from mien.analyze.options import AnalyzerOptions

    instead = device_of(args.device)[1]
    if instead:
        print(f"mien: {instead}", file=sys.stderr)
    return AnalyzerOptions(
        detector=args.detector, min_face=args.min_face, area=None if args.area is None else tuple(args.area),
        coverage=args.coverage, min_p_correct=args.min_p_correct, prior=args.prior,
        device=args.device, limits=limits_of(args),
    )  # fmt: skip
