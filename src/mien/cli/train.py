"""``mien train``: one network on one area, resumable from its last finished epoch."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.data.cache import FaceCache
from mien.errors import MissingExtraError, UsageError
from mien.face.spec import TRAINING_SPECS
from mien.jobs import places
from mien.train.augment import AUGMENTATIONS
from mien.train.config import NETWORKS
from mien.types import AREAS, Area, Face

if TYPE_CHECKING:
    from mien.train.config import TrainConfig
    from mien.train.resnet_run import ViewData

_EPILOG = """examples:
  mien train --data ferplus:~/ferplus --area mouth
  mien train --cache ~/.cache/mien/cache/ferplus-1234 --network anyarea --stages 16x32,1x64
  mien train --data ferplus:~/ferplus --area whole_face --protocol paper

The run's folder holds config.json, curve.csv (one line an epoch) and model.safetensors. The same command goes on
after any interruption, and prints where a finished run lies. mien export turns runs into models."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog, parser.formatter_class = _EPILOG, argparse.RawDescriptionHelpFormatter
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", metavar="NAME:ROOT", help="data set in its official layout, e.g. ferplus:~/ferplus")
    source.add_argument("--cache", type=Path, metavar="DIR", help="a prepared data set (mien data prepare)")
    parser.add_argument(
        "--area", choices=[a.value for a in AREAS], default="whole_face", help="what it sees (default: whole_face)"
    )
    parser.add_argument(
        "--network", choices=(*NETWORKS, "resnet"), default="vgg",
        help="vgg (Fig. 1, the default), densenet (Fig. 2, gives heatmaps), anyarea (one VGG for all areas) or resnet "
        "(the one network for everything that is visible; see its own options below)",
    )  # fmt: skip
    parser.add_argument(
        "--protocol", choices=("default", "paper"), default="default",
        help="paper: Adam, labels, at most 100 epochs at 64 pixels, selected on the test set, as published",
    )  # fmt: skip
    parser.add_argument("--crops", choices=TRAINING_SPECS, default="published", help="how crops are cut (published)")
    parser.add_argument("--stages", metavar="ExS,...", help="epochs x side in pixels, in order, e.g. 8x32,1x64")
    parser.add_argument("--rate", type=float, help="highest learning rate")
    parser.add_argument("--batch", type=int, help="faces a step")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and augmentation (0)")
    parser.add_argument("--augmentation", choices=AUGMENTATIONS, help="how much training crops are varied (default)")
    parser.add_argument("--hide", type=float, metavar="P", help="share of crops in which a part is blanked (0)")
    parser.add_argument(
        "--start-from",
        metavar="RUN",
        help="begin with a run's weights; RUN@32: as they were after its stage of 32 pixels",
    )
    parser.add_argument(
        "--teacher", nargs="+", default=[], metavar="RUN",
        help="finished runs whose mean answer is half of the target (distillation)",
    )  # fmt: skip
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="at most N training faces, for a trial")
    parser.add_argument(
        "--runs", type=Path, default=places.runs(), metavar="DIR", help=places.help_of("folder of runs")
    )
    parser.add_argument("--onnx", type=Path, metavar="FILE", help="also write the network as ONNX, in fp32")
    parser.add_argument("--quiet", action="store_true", help="no line an epoch")
    one = parser.add_argument_group("with --network resnet")
    add_view_options(one)
    one.add_argument("--epochs", type=int, default=22, help="over the training faces (22)")
    one.add_argument("--side", type=int, default=112, help="of an aligned face in pixels (112)")
    one.add_argument("--seen", type=int, default=16, help="faces a step of which it is known what is hidden (16)")
    one.add_argument("--balance", type=float, default=0.0, help="draw rare emotions oftener, 0 to 1 (0)")
    one.add_argument("--hidden-weight", type=float, default=0.5, help="of the hidden pieces' loss (0.5)")
    one.add_argument("--shares", metavar="A,B,D,R", help="shares of one area, blanked, drawn, real (.22,.06,.12,.12)")
    one.add_argument("--workers", type=int, default=1, help="processes that make views (1)")


def add_view_options(parser: argparse._ActionsContainer) -> None:
    """Where real covers come from."""
    parser.add_argument(
        "--covered", type=Path, metavar="CSV", help="training faces looked at by eye (docs/training.md)"
    )
    parser.add_argument(
        "--photos", type=Path, metavar="DIR", help="photos of people, in its folders with_mask and without_mask"
    )


def run(args: argparse.Namespace) -> int:
    """Train, or go on; prints the run's folder."""
    try:
        from mien.train.loop import train
        from mien.train.runs import keep_command
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "train", "mien train") from error
    if args.network == "resnet":
        return _run_resnet(args)
    config, cache = config_of(args), _cache(args)
    if args.teacher:
        config = replace(config, teacher=_teacher(args, config, cache).name)
    keep_command(args.runs.expanduser() / config.name, args.typed)
    trained = train(cache, config, args.runs, _silent if args.quiet else _report)
    print(trained.folder)
    if args.onnx is not None:
        from mien.train.networks import to_onnx

        args.onnx.parent.mkdir(parents=True, exist_ok=True)
        to_onnx(trained.network, args.onnx)
    return 0


def _run_resnet(args: argparse.Namespace) -> int:
    from mien.train.resnet_run import ResNetConfig, train_resnet
    from mien.train.runs import keep_command
    from mien.train.views import ViewConfig

    shares = (0.22, 0.06, 0.12, 0.12)
    if args.shares is not None:
        try:
            one_area, blanked, drawn, real = (float(share) for share in args.shares.split(","))
            shares = (one_area, blanked, drawn, real)
        except ValueError:
            raise UsageError(f"--shares is four numbers such as .22,.06,.12,.12; got {args.shares!r}") from None
    config = ResNetConfig(
        epochs=args.epochs, side=args.side, seed=args.seed, batch=args.batch or 128, seen=args.seen,
        rate=args.rate or 1e-3, hidden_weight=args.hidden_weight, balance=args.balance,
        views=ViewConfig(*shares), teachers=tuple(args.teacher), start_from=args.start_from or "",
        covered="" if args.covered is None else args.covered.name, photos="" if args.photos is None else "masks",
    )  # fmt: skip
    report = _silent if args.quiet else _report
    keep_command(args.runs.expanduser() / config.name, args.typed)
    trained = train_resnet(view_data_of(args), config, args.runs, report, args.workers)
    print("" if trained is None else trained.folder)
    return 0


def view_data_of(args: argparse.Namespace) -> ViewData:
    """What training views are made from, as the options say."""
    from mien.face import images
    from mien.face.detect import detect
    from mien.train.covers import view_data

    def largest(path: Path) -> Face | None:
        faces = detect(images.to_gray(images.load(path)))
        return faces[0] if faces else None

    return view_data(_cache(args), args.covered, args.photos, largest)


def config_of(args: argparse.Namespace) -> TrainConfig:
    """The training that the options describe.

    Raises:
        UsageError: an option's value makes no sense.
    """
    from mien.train.config import TrainConfig, paper_config

    if args.protocol == "paper":
        config = paper_config(args.network, Area(args.area), args.seed)
    else:
        config = TrainConfig(network=args.network, area=args.area, seed=args.seed)
    if args.network == "densenet":
        config = replace(config, dropout=0.0)
    changes: dict[str, Any] = {"spec": TRAINING_SPECS[args.crops].key, "limit": args.limit}
    if args.stages is not None:
        changes["stages"] = stages_of(args.stages)
    for name, least in (("rate", 0.0), ("batch", 1)):
        value = getattr(args, name)
        if value is not None:
            if value <= least:
                raise UsageError(f"--{name} is more than {least:g}, got {value}")
            changes[name] = value
    if args.augmentation is not None:
        changes["augmentation"] = AUGMENTATIONS[args.augmentation]
    if args.hide is not None:
        if not 0 <= args.hide <= 1:
            raise UsageError(f"--hide is a share from 0 to 1, got {args.hide}")
        changes["hide"] = args.hide
    if args.start_from is not None:
        changes["start_from"] = args.start_from
    return replace(config, **changes)


def _teacher(args: argparse.Namespace, config: TrainConfig, cache: FaceCache) -> Path:
    from mien.train.runs import within
    from mien.train.teachers import write_teacher

    area = config.areas[0] if len(config.areas) == 1 else None
    runs = args.runs.expanduser()
    teachers = [within(runs, name) for name in args.teacher]
    return write_teacher(cache, teachers, area, runs / "teachers", _silent if args.quiet else _report)


def stages_of(text: str) -> tuple[tuple[float, int], ...]:
    """``8x32,1x64`` -> ((8.0, 32), (1.0, 64)).

    Raises:
        UsageError: it has another form.
    """
    stages = []
    for piece in text.split(","):
        epochs, _, side = piece.partition("x")
        try:
            stages.append((float(epochs), int(side)))
        except ValueError:
            raise UsageError(f"--stages: expected epochs x pixels as in 8x32,1x64, got {text!r}") from None
    if any(epochs <= 0 or side < 16 or side % 16 for epochs, side in stages):
        raise UsageError(f"--stages: epochs are more than 0 and sides multiples of 16 pixels, got {text!r}")
    return tuple(stages)


def _cache(args: argparse.Namespace) -> FaceCache:
    if args.cache is not None:
        return FaceCache.open(args.cache)
    from mien.data.prepare import prepared

    return prepared(args.data)


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _silent(line: str) -> None:
    """Nothing is printed."""
