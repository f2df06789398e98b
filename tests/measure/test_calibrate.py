import json

import numpy as np
import pandas as pd
import pytest

from builders.trust import PRIOR, prediction_table, simulate
from mien.cli import main
from mien.errors import ModelError, TableError
from mien.measure import calibrate as trust_run
from mien.measure.covered import OccludedViews
from mien.measure.fit.check import check_trust, coverage_of, repeated_coverage
from mien.measure.fit.contribution import measure_contribution
from mien.measure.fit.trust import fit_trust
from mien.measure.predictions import by_area, read_predictions
from mien.trust.authenticity import Calibration
from mien.trust.fitted import COLUMNS, lookup, read_table, write_table
from mien.trust.fusion import Fusion, blanked_within, views_within
from mien.trust.sources import Source
from mien.types import AREAS, EMOTIONS, Area

SHARES = (PRIOR / PRIOR.sum()).astype(np.float32)
PAIRS = (Area.NOSE_MOUTH, Area.NOSE_EYES, Area.MOUTH_EYES)


def occluded_faces(n: int) -> dict[Area, OccludedViews]:
    """Simulated faces with one part covered: the blanked whole face knows what the pair knows, and a little more."""
    out = {}
    for seed, target in enumerate(PAIRS):
        logits, labels = simulate(n, 70 + seed)
        views = {name: logits[Area(name)] for name in views_within(target.parts)}
        for area in blanked_within(target.parts):
            noise = np.random.default_rng(seed).normal(0, 1, (n, 8))
            views[Source.of("blanked", area)] = (logits[target] + noise).astype(np.float32)
        wanted = views_within(target.parts, blanked=True)
        out[target] = OccludedViews({name: views[name] for name in wanted}, labels)
    return out


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    return prediction_table(700, "validation", 1), prediction_table(700, "test", 2)


@pytest.fixture(scope="module")
def fit(tables):
    return fit_trust(tables[0], SHARES, {"mouth": "print"}, occluded=occluded_faces(150))


@pytest.fixture(scope="module")
def check(fit, tables):
    return check_trust(fit, tables[1])


def test_every_area_is_better_calibrated_than_softmax(check) -> None:
    rows = check.calibration.set_index("source")
    assert set(rows.index) >= {a.value for a in AREAS}
    areas = rows.loc[[a.value for a in AREAS]]
    assert (areas["brier"] < areas["brier_raw"]).all()
    assert (areas["ece"] < areas["ece_raw"]).all()
    assert (rows["ece"] < 0.07).all()


def test_the_authenticity_table_counts_and_hedges(fit, tables) -> None:
    table = fit.authenticity_table()
    assert list(table.columns) == ["emotion", "area", "p", "low", "high", "n", "n_right"]
    assert len(table) == len(AREAS) * len(EMOTIONS)
    assert ((table["low"] <= table["p"]) & (table["p"] <= table["high"])).all()
    assert table["p"].between(0.01, 0.99).all()
    logits, labels = by_area(tables[0])
    said = logits[Area.MOUTH].argmax(axis=1)
    row = lookup(table, "area", "emotion")["mouth", "happiness"]
    assert (row["n"], row["n_right"]) == ((said == 1).sum(), ((said == 1) & (labels == 1)).sum())


def test_pairs_are_checked_on_other_faces(fit, check, tables) -> None:
    coverage = coverage_of(check.pairs)
    assert coverage["pairs"] >= 20
    assert 0.75 <= coverage["covered"] <= 1
    assert coverage["inside"] >= coverage["covered"]
    repeated = repeated_coverage(*tables, splits=10)
    assert 0.9 <= repeated["covered"] <= 0.995


def test_faces_with_a_covered_part_have_their_own_rules_and_calibration(fit) -> None:
    assert set(fit.fusion.fusion.partial) == set(PAIRS)
    for area in PAIRS:
        logits = np.eye(8, dtype=np.float32) * 4
        assert len(fit.calibration.judge(f"partial_{area.value}", logits)) == 8
    assert f"partial_{PAIRS[0].value}" not in fit.sources


def test_without_occluded_faces_there_are_no_partial_rules() -> None:
    fit = fit_trust(prediction_table(150, "validation"), SHARES)
    assert not fit.fusion.fusion.partial
    assert not [name for name in fit.calibration.sources if Source(name).kind == "partial"]


def test_prediction_sets_and_abstention_on_other_faces(check) -> None:
    sets = check.prediction_sets[check.prediction_sets["source"].isin([a.value for a in AREAS])]
    assert (sets["covered"] > sets["coverage"] - 0.04).all()
    assert (sets["size"] >= 1).all()
    whole = check.abstention[check.abstention["source"] == "whole_face"].dropna()
    assert whole["answered"].is_monotonic_decreasing
    assert whole["right"].iloc[-1] > whole["right"].iloc[0] + 0.05


def test_too_few_or_incomplete_faces_are_named(tables) -> None:
    with pytest.raises(TableError, match="at least 100"):
        fit_trust(prediction_table(50, "validation"), SHARES)
    with pytest.raises(TableError, match="logit_fear"):
        fit_trust(tables[0].drop(columns="logit_fear"), SHARES)
    with pytest.raises(TableError, match="same samples"):
        fit_trust(tables[0].iloc[:-5], SHARES)
    with pytest.raises(TableError, match="twice"):
        fit_trust(pd.concat([tables[0], tables[0]]), SHARES)
    with pytest.raises(TableError, match="no area"):
        fit_trust(tables[0].replace({"area": {"nose": "ear"}}), SHARES)
    with pytest.raises(TableError, match="unknown labels: joy"):
        fit_trust(tables[0].replace({"label": {"happiness": "joy"}}), SHARES)


def test_by_area_orders_the_samples_of_every_area_alike(tables) -> None:
    shuffled = tables[0].sample(frac=1, random_state=0)
    logits, labels = by_area(shuffled)
    expected, same = by_area(tables[0])
    np.testing.assert_array_equal(labels, same)
    for area in AREAS:
        np.testing.assert_array_equal(logits[area], expected[area])


def test_contribution_needs_all_seven_areas(fit, tables) -> None:
    found = measure_contribution(fit.calibration, tables[1], draws=50)
    assert set(found.psychology["verdict"]) <= {"agree", "disagree", "undecided"}
    with pytest.raises(TableError, match="nose_mouth"):
        measure_contribution(fit.calibration, tables[1][tables[1]["area"] != "nose_mouth"], draws=10)


@pytest.fixture(scope="module")
def calibrated(tables, tmp_path_factory):
    """One command on a PredictionTable of two network families."""
    folder = tmp_path_factory.mktemp("calibrated")
    other = [prediction_table(200, split, 9, "anyarea") for split in ("validation", "test")]
    pd.concat([*tables, *other]).to_parquet(folder / "predictions.parquet")
    arguments = [
        "--table",
        folder / "predictions.parquet",
        "--out",
        folder / "models",
        "--results",
        folder / "results",
        "--splits",
        4,
    ]
    assert main(["calibrate", *map(str, arguments)]) == 0
    return folder


def test_one_command_writes_what_the_others_read(calibrated) -> None:
    for network in ("vgg", "anyarea"):
        calibration = Calibration.load(calibrated / "models", network)
        assert {a.value for a in AREAS} <= set(calibration.sources)
        Fusion.load(calibrated / "models", network)
        for name in COLUMNS:
            read_table(calibrated / "models", name, network)
    assert Calibration.load(calibrated / "models").n == 700
    summary = json.loads((calibrated / "results" / "summary.json").read_text())
    assert summary["networks"]["vgg"]["brier_better_everywhere"]
    for name in ("trust.png", "reliability.png", "contribution_recall.png", "pairs.csv", "anyarea/trust.png"):
        assert (calibrated / "results" / name).stat().st_size > 500


def test_trust_speaks(calibrated, capsys, tmp_path) -> None:
    models = ["--models", str(calibrated / "models")]
    assert main(["trust", *models, "--area", "mouth", "--emotion", "fear"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("mouth only, says fear: right ")
    assert " in 10" in out
    assert main(["trust", *models]) == 0
    assert "nose and mouth" in capsys.readouterr().out
    assert main(["trust", *models, "--json", "--network", "anyarea"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 56
    assert main(["trust", *models, "--csv", "--image", str(tmp_path / "trust.png")]) == 0
    assert capsys.readouterr().out.startswith("emotion,area,p,low,high,n,n_right")
    assert (tmp_path / "trust.png").stat().st_size > 5000


@pytest.mark.parametrize("show", ["parts", "pairs", "coalitions", "psychology"])
@pytest.mark.parametrize("game", ["information", "recall"])
def test_contribution_speaks(calibrated, capsys, show: str, game: str) -> None:
    assert main(["contribution", "--models", str(calibrated / "models"), "--show", show, "--game", game]) == 0
    out = capsys.readouterr().out
    assert "happiness" in out
    assert len(out.splitlines()) >= 10


def test_contribution_of_one_s_own_predictions(calibrated, capsys, tables, tmp_path) -> None:
    tables[1].to_csv(tmp_path / "own.csv", index=False)
    arguments = ["--models", str(calibrated / "models"), "--table", str(tmp_path / "own.csv")]
    assert main(["contribution", *arguments, "--csv", "--image", str(tmp_path / "c.svg")]) == 0
    assert capsys.readouterr().out.startswith("game,emotion,part,value,low,high,n")
    assert (tmp_path / "c.svg").read_text().startswith("<?xml")


def test_wrong_calls_are_one_sentence(calibrated, capsys, tmp_path) -> None:
    models = str(calibrated / "models")
    table = str(calibrated / "predictions.parquet")
    for arguments, code, words in [
        (["trust", "--models", str(tmp_path)], 6, "mien calibrate"),
        (["trust", "--models", models, "--network", "ear"], 6, "'ear'"),
        (["trust", "--models", models, "--image", "x.docx"], 2, "x.docx"),
        (["contribution", "--models", models, "--table", str(tmp_path / "no.csv")], 3, "cannot be read"),
        (["calibrate", "--table", table, "--fit-on", "test"], 2, "other faces"),
        (["calibrate", "--table", table, "--fit-on", "train"], 3, "no train faces"),
        (["calibrate", "--table", table, "--occlusion"], 2, "needs --cache"),
        (["calibrate", "--cache", str(tmp_path), "--out", str(tmp_path)], 3, "not a complete cache"),
    ]:
        assert main(arguments) == code
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("mien: ")
        assert words in error


def test_without_faces_to_check_on_it_says_so(tables, tmp_path, capsys) -> None:
    tables[0].to_parquet(tmp_path / "p.parquet")
    assert main(["calibrate", "--table", str(tmp_path / "p.parquet"), "--out", str(tmp_path / "m")]) == 0
    assert "not checked" in capsys.readouterr().out
    Calibration.load(tmp_path / "m")
    with pytest.raises(ModelError, match=r"contribution\.csv"):
        read_table(tmp_path / "m", "contribution")


def test_damaged_tables_are_one_sentence(tmp_path) -> None:
    (tmp_path / "authenticity.csv").write_text("network,emotion\nvgg,fear\n")
    with pytest.raises(ModelError, match="lacks area, p"):
        read_table(tmp_path, "authenticity")
    (tmp_path / "authenticity.csv").write_text("")
    with pytest.raises(ModelError, match="damaged"):
        read_table(tmp_path, "authenticity")
    (tmp_path / "x.parquet").write_text("no")
    with pytest.raises(TableError, match="no PredictionTable"):
        read_predictions(tmp_path / "x.parquet")


def test_tables_keep_their_networks_apart(tmp_path, fit) -> None:
    table = fit.authenticity_table()
    write_table(tmp_path, "authenticity", {"vgg": table, "anyarea": table.assign(p=0.5, low=0.4, high=0.6)})
    assert (read_table(tmp_path, "authenticity", "anyarea")["p"] == 0.5).all()
    np.testing.assert_allclose(read_table(tmp_path, "authenticity")["p"], table["p"], atol=1e-4)


def test_the_summary_in_words_holds_the_numbers(calibrated) -> None:
    summary = json.loads((calibrated / "results" / "summary.json").read_text())
    words = trust_run.in_words(summary)
    row = summary["networks"]["vgg"]["sources"]["mouth"]
    assert f"{row['accuracy']:.2%}" in words
    assert f"{row['brier']:.4f}" in words
