"""What eyes, nose and mouth each contribute: exact Shapley values over the seven areas. numpy only.

The seven areas are all non-empty subsets of three parts, so that the value of every coalition of parts is measured
and nothing has to be sampled. A game says what a coalition is worth, v(parts):

================  ====================================================  ===================================
game              v of the parts an area shows                          v of no part
================  ====================================================  ===================================
accuracy          share of all faces answered rightly                   share of the most frequent emotion
recall            of one emotion: share of its faces answered rightly   its share (guessing by the prior)
macro_recall      mean of the eight recalls                             1/8
information       mean gain in log2 probability of the right emotion,   0
                  against the prior, in bits a face
information (of   the same over the faces of one emotion                0
an emotion)
================  ====================================================  ===================================

Answers are the networks' own. Probabilities are vector-scaled on validation (see ``mien.trust.authenticity``): the
networks' logit bias towards rare emotions is a choice of what to say, and not information.

The prior is the share of each emotion among the training faces. The Shapley values of the parts sum to
v(all three) - v(none). Beware: the whole face also shows jaw and cheeks, and a bounding box shows pieces of the
neighbouring parts, so that "mouth and eyes" sees some of the nose; the crop spec says which crops were used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mien.errors import TableError
from mien.measure.metrics import bootstrap_weights, percentile_interval
from mien.trust.shapley import interactions, shapley
from mien.types import AREAS, EMOTIONS, N_EMOTIONS, PARTS, Area, Float32, Float64, Interval, Part

if TYPE_CHECKING:
    import pandas as pd

GAMES = ("accuracy", "macro_recall", "recall", "information")

ALL = "all"
"""In the column ``emotion``: the game is over all emotions."""


def mask_of(parts: Iterable[Part]) -> int:
    """Bit mask of a coalition; bit i is ``PARTS[i]``."""
    return sum(1 << PARTS.index(part) for part in set(parts))


_AREA_AT = {mask_of(area.parts): area for area in AREAS}


@dataclass(frozen=True, eq=False)
class Games:
    """Every game's value of every coalition, with bootstrap replicates over faces.

    Attributes:
        names: (game, emotion or ``all``) of each row.
        values: float64 [games, 8], v by bit mask of the parts.
        replicates: float64 [draws, games, 8], the same on resampled faces; NaN where a class was not drawn.
        counts: int64 [games], faces each rests on.
    """

    names: tuple[tuple[str, str], ...]
    values: Float64
    replicates: Float64
    counts: npt.NDArray[np.int64]


def play(
    answers: Mapping[Area, npt.NDArray[np.int64]],
    probabilities: Mapping[Area, npt.NDArray[np.floating]],
    labels: npt.NDArray[np.int64],
    prior: Float32,
    draws: int = 2000,
    seed: int = 0,
) -> Games:
    """Measure every game.

    Args:
        answers: int64 [N], position of the emotion said, of each of the seven areas.
        probabilities: [N, 8] of each of the seven areas, of the same faces in the same order.
        labels: int64 [N], index of the right emotion.
        prior: float32 [8], share of each emotion among the training faces.
        draws: bootstrap replicates over faces; a face keeps all seven areas together.
        seed: of the bootstrap.

    Raises:
        TableError: an area is missing, or the shapes do not agree.
    """
    right, bits = _scores(answers, probabilities, labels, prior)
    members = np.eye(N_EMOTIONS)[labels]
    points = _game_values(right, bits, members, np.ones((1, len(labels)), np.float32), prior)[0]
    blocks = [_game_values(right, bits, members, w, prior) for w in bootstrap_weights(len(labels), draws, seed)]
    of_class = members.sum(axis=0).astype(np.int64)
    present = [i for i in range(N_EMOTIONS) if of_class[i]]
    rows = [0, 1, 2, *(3 + i for i in present), *(3 + N_EMOTIONS + i for i in present)]
    names = [("accuracy", ALL), ("macro_recall", ALL), ("information", ALL)]
    names += [(game, EMOTIONS[i].value) for game in ("recall", "information") for i in present]
    counts = np.concatenate([[len(labels)] * 3, of_class[present], of_class[present]])
    return Games(tuple(names), points[rows], np.concatenate(blocks)[:, rows], counts.astype(np.int64))


def _scores(
    answers: Mapping[Area, npt.NDArray[np.int64]],
    probabilities: Mapping[Area, npt.NDArray[np.floating]],
    labels: npt.NDArray[np.int64],
    prior: Float32,
) -> tuple[Float64, Float64]:
    """Right (0 or 1) and bits gained against the prior, each float64 [N, 7], by coalition 1..7."""
    missing = [area.value for area in AREAS if area not in probabilities or area not in answers]
    if missing:
        raise TableError(f"contribution needs all seven areas; missing: {', '.join(missing)}")
    own = np.log2(np.maximum(prior[labels].astype(np.float64), 1e-12))
    right, bits = [], []
    for mask in range(1, 8):
        p = probabilities[_AREA_AT[mask]]
        if p.shape != (len(labels), N_EMOTIONS):
            wanted = [len(labels), N_EMOTIONS]
            raise TableError(f"contribution: {_AREA_AT[mask].value}: expected {wanted}, got {list(p.shape)}")
        right.append((answers[_AREA_AT[mask]] == labels).astype(np.float64))
        bits.append(np.log2(np.maximum(p[np.arange(len(labels)), labels].astype(np.float64), 1e-12)) - own)
    return np.stack(right, axis=1), np.stack(bits, axis=1)


def _game_values(right: Float64, bits: Float64, members: Float64, weights: Float32, prior: Float32) -> Float64:
    """float64 [draws, 3 + 8 + 8, 8]: accuracy, macro recall, information, recall and information by emotion."""
    w = weights.astype(np.float64)
    total = w.sum(axis=1)[:, None]
    of_class = w @ members
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.stack([(w * members[:, e]) @ right / of_class[:, [e]] for e in range(N_EMOTIONS)], axis=1)
        bits_of = np.stack([(w * members[:, e]) @ bits / of_class[:, [e]] for e in range(N_EMOTIONS)], axis=1)
    share = prior.astype(np.float64)
    return np.concatenate([
        _with_none(w @ right / total, float(share.max()))[:, None],
        _with_none(_mean_over_present(recall), 1 / N_EMOTIONS)[:, None],
        _with_none(w @ bits / total, 0.0)[:, None],
        np.stack([_with_none(recall[:, e], float(share[e])) for e in range(N_EMOTIONS)], axis=1),
        np.stack([_with_none(bits_of[:, e], 0.0) for e in range(N_EMOTIONS)], axis=1),
    ], axis=1)  # fmt: skip


def _mean_over_present(recall: Float64) -> Float64:
    """[draws, 8 emotions, 7] -> [draws, 7], over the emotions that have a face."""
    present = np.isfinite(recall)
    return np.asarray(np.where(present, recall, 0.0).sum(axis=1) / np.maximum(present.sum(axis=1), 1), np.float64)


def _with_none(values: Float64, none: float) -> Float64:
    """Put v(none) before the seven coalitions: [draws, 7] -> [draws, 8]."""
    return np.concatenate([np.full((len(values), 1), none), values], axis=1)


def contribution_table(games: Games) -> pd.DataFrame:
    """The ContributionTable: game, emotion, part, value, low, high, n.

    ``value`` is the part's Shapley value, in the game's unit (shares, or bits); ``low`` and ``high`` its 95% bootstrap
    interval over faces.
    """
    values, replicates = shapley(games.values), shapley(games.replicates)
    return _table(games, values, replicates, "part", [part.value for part in PARTS])


def interaction_table(games: Games) -> pd.DataFrame:
    """Pairwise interactions: game, emotion, parts, value, low, high, n.

    Positive: the pair gives more than both alone. Negative: the two tell much the same.
    """
    pairs, values = interactions(games.values)
    _, replicates = interactions(games.replicates)
    return _table(games, values, replicates, "parts", [f"{PARTS[i].value}+{PARTS[j].value}" for i, j in pairs])


def value_table(games: Games) -> pd.DataFrame:
    """What every coalition is worth: game, emotion, area (``none`` for no part), value, low, high, n."""
    names = ["none", *(_AREA_AT[mask].value for mask in range(1, 8))]
    return _table(games, games.values, games.replicates, "area", names)


def difference(games: Games, game: str, emotion: str, first: Part, second: Part) -> Interval:
    """Shapley value of one part minus that of another, with its interval.

    Raises:
        TableError: the game was not played for this emotion.
    """
    if (game, emotion) not in games.names:
        raise TableError(f"contribution: no game {game} of {emotion} was played")
    row = games.names.index((game, emotion))
    values, replicates = shapley(games.values[row]), shapley(games.replicates[:, row])
    i, j = PARTS.index(first), PARTS.index(second)
    return percentile_interval(
        float(values[i] - values[j]), replicates[:, i] - replicates[:, j], int(games.counts[row])
    )


def _table(games: Games, values: Float64, replicates: Float64, column: str, names: list[str]) -> pd.DataFrame:
    import pandas as pd  # here, because every photo's analysis imports this module, and it takes a quarter of a second

    rows = []
    for row, (game, emotion) in enumerate(games.names):
        for at, name in enumerate(names):
            i = percentile_interval(float(values[row, at]), replicates[:, row, at], int(games.counts[row]))
            rows.append((game, emotion, name, i.value, i.low, i.high, i.n))
    return pd.DataFrame(rows, columns=["game", "emotion", column, "value", "low", "high", "n"])
