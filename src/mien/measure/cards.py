"""Model cards, made by a command from what was measured: the manifest and what ``mien evaluate`` wrote."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import TableError
from mien.face.spec import CropSpec
from mien.jobs.files import replace_file
from mien.trust.models import Models
from mien.types import EMOTIONS, Area, UInt8

LATENCY_RUNS = 60

_NETWORK_WORDS = {
    "vgg": "VGG, one network an area (paper, Fig. 1)",
    "anyarea": "any-area VGG: one network for all seven areas, told which parts are visible",
    "resnet": "one network for everything that is visible: dlib's face recognition network, fine-tuned whole",
    "densenet": "DenseNet-BC with class activation maps (paper, Fig. 2)",
}


def latency(models: Models, area: Area) -> float:
    """Median milliseconds of one crop (and its mirror image where the entry says so), measured now on this machine."""
    crop = _noise(models.entry(area).spec.size)
    return _median_ms(lambda: models.logits(area, crop))


def visualisation_latency(models: Models) -> float:
    """Median milliseconds of one crop through the visualisation network, measured now on this machine."""
    crop = _noise(models.visualisation.spec.size)
    return _median_ms(lambda: models.class_maps(crop))


def _noise(side: int) -> UInt8:
    return np.random.default_rng(0).integers(1, 255, (1, side, side)).astype(np.uint8)


def _median_ms(run: Callable[[], object]) -> float:
    run()
    times = []
    for _ in range(LATENCY_RUNS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times) * 1e3)


@dataclass(frozen=True)
class _Card:
    """What one card is made from.

    Attributes:
        name: network and area; of the file too.
        network: vgg, anyarea or densenet.
        area: what it sees.
        entry: of the manifest.
        megabytes: of the file.
        milliseconds: latency.
        measures: by selection, see ``evaluate.summary``.
    """

    name: str
    network: str
    area: Area
    entry: Mapping[str, Any]
    megabytes: float
    milliseconds: float
    measures: Mapping[str, Any]


def write_cards(models: Models, evaluation: Mapping[str, Any], out: Path) -> list[Path]:
    """One Markdown card an area network of ``models.network``, and one of the visualisation network if it was measured.

    Args:
        models: the folder and network.
        evaluation: what ``mien evaluate --json`` printed for it.
        out: folder for the cards.

    Returns:
        The files written.

    Raises:
        TableError: the evaluation is of other model files.
    """
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for card in _cards(models, evaluation):
        written.append(out / f"{card.name}.md")
        replace_file(written[-1], "\n".join(_lines(card, models.manifest.dataset, evaluation)) + "\n")
    return written


def _cards(models: Models, evaluation: Mapping[str, Any]) -> Iterator[_Card]:
    def megabytes(entry: Mapping[str, Any]) -> float:
        return (models.folder / str(entry["file"])).stat().st_size / 1e6

    for area in models.areas:
        if evaluation["models"].get(area.value) != models.entry(area).sha256[:12]:
            raise TableError(f"the evaluation is not of this folder's {models.network} network for {area.value}")
        entry = models.entry(area).to_dict()
        name, measures = f"{models.network}-{area.value}", evaluation["areas"][area.value]
        yield _Card(name, _family_of(models, area), area, entry, megabytes(entry), latency(models, area), measures)
    if "visualisation" in evaluation:
        if evaluation["models"].get("visualisation") != models.visualisation.sha256[:12]:
            raise TableError("the evaluation is not of this folder's visualisation network")
        entry, area = models.visualisation.to_dict(), Area.WHOLE_FACE
        milliseconds, measures = visualisation_latency(models), evaluation["visualisation"]
        yield _Card("densenet-whole_face", "densenet", area, entry, megabytes(entry), milliseconds, measures)


def _family_of(models: Models, area: Area) -> str:
    """The family of the network that answers for an area: another than the folder's where that one was better."""
    own = models.entry(area).sha256
    others = [name for name, entries in models.manifest.networks.items() if name != models.network
              and area in entries and entries[area].sha256 == own]  # fmt: skip
    return others[0] if others else models.network


def _lines(card: _Card, dataset: str, evaluation: Mapping[str, Any]) -> Iterator[str]:
    entry, side = card.entry, CropSpec.from_key(card.entry["spec"]).size
    yield f"# {card.name.partition('-')[0]}: {card.area.words}"
    yield ""
    yield "Made by `mien cards`; every number was measured by the command beside it."
    yield ""
    yield f"- **Network**: {_NETWORK_WORDS[card.network]}"
    yield f"- **Crop**: `{entry['spec']}`; uint8 [N, {side}, {side}], 0 is not visible; normalisation is in the graph"
    size = f"{card.megabytes:.1f} MB"
    yield f"- **File**: `{entry['file']}`, {entry['precision']}, {size}, SHA-256 `{entry['sha256'][:16]}`"
    mirror = "crop and mirror image averaged" if entry["flip"] else "one pass"
    yield f"- **Latency**: {card.milliseconds:.1f} ms a face here ({mirror}; median of {LATENCY_RUNS}, batch 1)"
    yield f"- **Data**: {dataset}, the paper's selection; a validation split chose everything"
    yield f"- **Training**: run `{entry['run']}`, commit `{entry.get('commit', 'unknown')}`"
    if entry["training"]["start_from"]:
        yield f"- **Started from**: `{entry['training']['start_from']}` (`docs/results/training` has its curve)"
    if entry.get("teachers"):
        yield f"- **Teachers**: {', '.join(f'`{name}`' for name in entry['teachers'])}"
    yield from _training(entry)
    yield from _measures(card, evaluation)
    yield from _trade_off(entry)
    yield from _limits()


def _training(entry: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield "## Training"
    yield ""
    if entry.get("command"):
        yield "```sh"
        yield entry["command"]
        yield "```"
        yield ""
    yield "```json"
    yield json.dumps(entry["training"])
    yield "```"
    curve = entry.get("curve", [])
    if curve:
        yield ""
        yield "| " + " | ".join(curve[0]) + " |"
        yield "|" + "---|" * len(curve[0])
        for row in curve:
            yield "| " + " | ".join(str(v) for v in row.values()) + " |"


def _measures(card: _Card, evaluation: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"## Measured on {evaluation['dataset']}, {evaluation['split']} split"
    yield ""
    yield f"`{evaluation['command']}`"
    yield ""
    yield "| selection | n | accuracy | 95% interval | macro recall | ECE (15 bins) | Brier |"
    yield "|---|---|---|---|---|---|---|"
    for selection, row in card.measures.items():
        a = row["accuracy"]
        yield (
            f"| {selection} | {row['n']} | {a['value']:.2%} | {a['low']:.2%} to {a['high']:.2%} "
            f"| {row['macro_recall']:.2%} | {row['ece']:.3f} | {row['brier']:.3f} |"
        )
    yield ""
    yield "| emotion | recall (paper's selection) | 95% interval | n |"
    yield "|---|---|---|---|"
    for emotion in EMOTIONS:
        r = card.measures["published"]["recall"][emotion.value]
        yield f"| {emotion.value} | {r['value']:.1%} | {r['low']:.1%} to {r['high']:.1%} | {r['n']} |"


def _trade_off(entry: Mapping[str, Any]) -> Iterator[str]:
    trade = entry.get("trade_off")
    if not trade:
        return
    yield ""
    yield f"## Accuracy against macro recall on validation (logit adjustment; shipped: strength {trade['strength']})"
    yield ""
    yield "| strength | accuracy | macro recall | emotions said |"
    yield "|---|---|---|---|"
    shipped = {"strength": f"{trade['strength']} and every emotion said: shipped"} | trade.get("shipped", {})
    for row in [*trade["validation"], *([shipped] if "shipped" in trade else [])]:
        yield (
            f"| {row['strength']} | {row['accuracy']:.2%} | {row['macro_recall']:.2%} | {row['emotions_said']:.0f} |"
        )


def _limits() -> Iterator[str]:
    yield ""
    yield "## Limits"
    yield ""
    yield (
        "FER+ labels are what ten people said of 48-pixel web pictures, not what anybody felt. "
        "Disgust, fear and contempt are rare in it. See the model card in the README for intended use and bias."
    )
