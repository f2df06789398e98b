"""``mien export``: finished trainings -> a folder of ONNX models."""

from __future__ import annotations

import argparse
from pathlib import Path

from mien.cli.train import add_view_options, view_data_of
from mien.errors import MissingExtraError, UsageError

STUDY_COMMAND = "mien study --cache CACHE --preset cpu --out OUT"
"""Of the trainings that are shared with the study."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folder with model.safetensors")
    parser.add_argument("--cache", type=Path, required=True, help="the prepared data set they were trained on")
    parser.add_argument("--out", type=Path, required=True, help="the models folder; what it already holds stays")
    parser.add_argument("--precision", choices=("int8", "fp16", "fp32"), default="int8", help="of the area networks")
    add_view_options(parser)
    parser.add_argument(
        "--looked-at", type=Path, metavar="CSV",
        help="of the one network: validation faces looked at by eye, which choose the thresholds of what is hidden",
    )  # fmt: skip
    parser.add_argument("--looked-at-again", type=Path, metavar="CSV", help="the same faces, looked at a second time")
    parser.add_argument("--no-flip", action="store_true", help="do not average with the mirror image")
    parser.add_argument(
        "--strength", type=float, default=0.0, metavar="S",
        help="of logit adjustment towards rare emotions, 0 to 1 (0: just enough that every emotion is said)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Export and write the manifest."""
    try:
        from mien.study.plan import cpu_configs
        from mien.train.export import ExportConfig, export_trainings
        from mien.train.runs import command_of, load
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "train", "mien export") from error
    from mien.data.cache import FaceCache

    if not 0 <= args.strength <= 1:
        raise UsageError(f"--strength is from 0 to 1, got {args.strength}")
    if all(folder.name.startswith("resnet-") for folder in args.runs):
        return _export_resnet(args)
    config = ExportConfig(args.precision, not args.no_flip, args.strength)
    trainings = [load(folder) for folder in args.runs]
    studied = {config.name for config in cpu_configs()}
    commands = {t.name: command_of(t.folder) or (STUDY_COMMAND if t.folder.name in studied else "") for t in trainings}
    manifest = export_trainings(FaceCache.open(args.cache), trainings, args.out, config, commands=commands)
    print(f"{args.out}: default network {manifest.default}")
    return 0


def _export_resnet(args: argparse.Namespace) -> int:
    from mien.data.covered import read_covered
    from mien.train.resnet_export import export_resnet
    from mien.train.resnet_run import load_resnet
    from mien.train.runs import command_of

    args.data = None
    looked = [{} if path is None else read_covered(path) for path in (args.looked_at, args.looked_at_again)]
    for folder in args.runs:
        trained = load_resnet(folder)
        export_resnet(
            trained,
            view_data_of(args),
            args.out,
            args.precision,
            not args.no_flip,
            command_of(folder),
            looked[0],
            looked[1],
        )
    print(f"{args.out}: default network resnet")
    return 0
