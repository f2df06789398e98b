"""The report: intervals that cover, findings that can say no, tables that say what is missing, a page of its own."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from string import ascii_lowercase

import numpy as np
import pandas as pd
import pytest

from builders.faces import make_cache
from builders.results import ACCURACY, class_maps, evidence
from mien.cli import main
from mien.errors import TableError
from mien.face.spec import STUDY_SPECS
from mien.measure.predictions import LOGIT_COLUMNS, logits_of
from mien.study import report
from mien.study.report import Setting, heatmap_figures
from mien.study.report.accuracy_tables import (
    accuracy_table,
    padding_table,
    pairs_table,
    recall_table,
    specs_table,
    stages_table,
)
from mien.study.report.attention import attention_of
from mien.study.report.contents import ORDER
from mien.study.report.data_tables import areas_table, counts_table, paper_counts_table
from mien.study.report.drawing import DRAW
from mien.study.report.exhibits import Exhibit, percent, verdict, with_interval
from mien.study.report.findings import answer_of, claims_of, summary_table
from mien.study.report.measured import area_arms, crop_arms
from mien.study.report.paper import LANDMARKS, PADDING
from mien.study.report.resample import FEW, Confusions, accuracy, confusions_of, holm, recall
from mien.study.report.trust import trust_of
from mien.types import AREAS, EMOTIONS, Area, Emotion, Interval

SETTING = Setting("quick", "Made up for a test.", "validation", False, "mien study --preset quick", {"commit": "none"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_cache(tmp_path_factory.mktemp("report") / "cache", 720)


def table(labels: np.ndarray, said: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """A PredictionTable of plain answers."""
    logits = 5 * np.eye(8)[said]
    columns = {f"logit_{e.value}": logits[:, i] for i, e in enumerate(EMOTIONS)}
    ids = [f"face{i:05}" for i in range(len(labels))]
    return pd.DataFrame({"sample_id": ids, "seed": seed, "label": [EMOTIONS[i].value for i in labels], **columns})


def confusions(
    accuracies: dict[Area, float], n: int = 4000, said: dict[Area, np.ndarray] | None = None
) -> Confusions[Area]:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 7, n)
    arms = []
    for area, share in accuracies.items():
        wrong = (labels + generator.integers(1, 7, n)) % 7
        answers = (said or {}).get(area, np.where(generator.random(n) < share, labels, wrong))
        arms.append((area, table(labels, answers)))
    return confusions_of(arms, draws=800)


# --- intervals ---------------------------------------------------------------------------------------------------


def test_measures_of_the_confusions_are_the_plain_ones() -> None:
    labels, said = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 1, 1, 1, 2, 2])
    found = confusions_of([("arm", table(labels, said))], draws=50)
    assert found.accuracy("arm").value == pytest.approx(4 / 6)
    np.testing.assert_allclose(recall(found.point)[0, :3], [1 / 2, 2 / 3, 1.0])
    assert np.isnan(recall(found.point)[0, 3:]).all()
    assert found.n == 6
    assert found.faces_of(1) == 3


def test_seeds_count_as_their_mean_and_the_published_protocol_takes_the_best() -> None:
    labels = np.zeros(10, int)
    good, bad = table(labels, np.zeros(10, int), seed=1), table(labels, np.repeat([0, 1], [4, 6]), seed=0)
    arms = [("arm", pd.concat([bad, good]))]
    assert confusions_of(arms, draws=20).accuracy("arm").value == pytest.approx(0.7)
    assert confusions_of(arms, draws=20).by_seed == {"arm": (0.4, 1.0)}
    assert confusions_of(arms, best_run=True, draws=20).accuracy("arm").value == 1.0


def test_arms_of_other_faces_are_refused() -> None:
    labels = np.zeros(10, int)
    with pytest.raises(TableError, match="not of the same faces"):
        confusions_of([("a", table(labels, labels)), ("b", table(labels[:9], labels[:9]))])
    with pytest.raises(TableError, match="nothing was measured"):
        confusions_of([("a", table(labels, labels))], draws=20).accuracy("b")
    with pytest.raises(TableError, match="no predictions"):
        confusions_of([])


def test_a_bootstrap_interval_of_a_paired_difference_covers_the_truth() -> None:
    """100 studies of 400 faces: 95% intervals of a true difference of 0.1 hold it in 89 to 99% of them."""
    generator, held = np.random.default_rng(3), 0
    for study in range(100):
        labels = generator.integers(0, 8, 400)
        both = generator.random(400)
        arms = [
            (name, table(labels, np.where(both < share, labels, (labels + 1) % 8)))
            for name, share in (("a", 0.6), ("b", 0.5))
        ]
        gap = confusions_of(arms, draws=200, seed=study).difference("a", "b")
        held += gap.low <= 0.1 <= gap.high
    assert 0.89 <= held / 100 <= 0.99


def test_equal_arms_are_rarely_called_different() -> None:
    generator, called = np.random.default_rng(4), 0
    for study in range(100):
        labels = generator.integers(0, 8, 300)
        said = [np.where(generator.random(300) < 0.5, labels, (labels + 1) % 8) for _ in range(2)]
        found = confusions_of([("a", table(labels, said[0])), ("b", table(labels, said[1]))], draws=200, seed=study)
        called += found.p_value("a", "b") < 0.05
    assert called / 100 <= 0.10


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])


# --- findings ----------------------------------------------------------------------------------------------------


def test_findings_two_and_three_say_yes_where_they_hold_and_no_where_they_are_reversed() -> None:
    assert answer_of(claims_of(confusions(ACCURACY), None), 2) == "yes"
    reversed_ = dict(zip(AREAS, reversed(list(ACCURACY.values())), strict=True))
    assert answer_of(claims_of(confusions(reversed_), None), 2) == "no"
    assert answer_of(claims_of(confusions(dict.fromkeys(AREAS, 0.6)), None), 2) != "yes"
    assert answer_of(claims_of(confusions(ACCURACY), None), 3) == "yes"
    assert answer_of(claims_of(confusions(ACCURACY | {Area.EYES: 0.9}), None), 3) == "no"
    assert answer_of(claims_of(confusions(dict.fromkeys(AREAS, 0.6)), None), 3) == "undecided"


def test_finding_one_reads_recalls_and_the_confusion_of_fear() -> None:
    generator = np.random.default_rng(5)
    labels = np.random.default_rng(0).integers(0, 7, 4000)  # the labels that confusions() draws
    rate = np.array([0.85, 0.97, 0.8, 0.7, 0.7, 0.3, 0.35])[labels]
    wrong = np.where(
        labels == Emotion.FEAR.position, Emotion.SURPRISE.position, (labels + generator.integers(1, 7, 4000)) % 7
    )
    said = np.where(generator.random(4000) < rate, labels, wrong)
    whole = confusions({Area.WHOLE_FACE: 0.0}, said={Area.WHOLE_FACE: said})
    assert [c.answer for c in claims_of(whole, None) if c.finding == 1] == ["yes", "yes", "yes"]
    to_sadness = np.where(said == Emotion.SURPRISE.position, Emotion.SADNESS.position, said)
    other = confusions({Area.WHOLE_FACE: 0.0}, said={Area.WHOLE_FACE: to_sadness})
    assert [c.answer for c in claims_of(other, None) if c.finding == 1][2] == "no"


def test_what_is_not_trained_is_undecided() -> None:
    claims = claims_of(None, None)
    assert {answer_of(claims, finding) for finding in range(1, 6)} == {"undecided"}
    assert all(claim.margin is None for claim in claims)


def test_finding_five_follows_the_heatmaps(folder: Path) -> None:
    eyes_and_mouth = (*range(36, 48), *range(48, 60))
    whole = (2, 4, 6, 8, 10, 12, 14, *range(17, 60, 3))
    published = {
        "happiness": range(48, 60), "surprise": eyes_and_mouth, "fear": eyes_and_mouth,
        "disgust": whole, "anger": whole,
    }  # fmt: skip
    found = evidence(folder, {})
    claims = claims_of(None, attention_of(replace(found, class_maps=class_maps(found.cache, published))))
    answers = {c.text: c.answer for c in claims if c.finding == 5}
    assert answers.pop("Forehead and cheeks contribute little") == "yes"
    assert set(answers.values()) == {"yes"}, answers
    on_cheeks = dict.fromkeys([e.value for e in EMOTIONS], (1, 2, 3, 13, 14, 15))
    claims = claims_of(None, attention_of(replace(found, class_maps=class_maps(found.cache, on_cheeks))))
    assert {c.text: c.answer for c in claims if c.finding == 5}["Mouth for happiness"] == "no"


def test_attention_shares_add_up_for_every_emotion(folder: Path) -> None:
    attention = attention_of(evidence(folder, {}))
    assert attention is not None
    sums = attention.table().groupby("emotion")[["mass", "area"]].sum()
    np.testing.assert_allclose(sums, 1.0, atol=1e-6)
    mouth = attention.table().query("part == 'mouth'")
    assert (mouth["density"] > 3).all()  # the builder lights the mouth up


def test_a_mean_of_few_faces_is_never_shown_in_a_report_that_shows_no_one(folder: Path) -> None:
    attention = attention_of(evidence(folder, {}))
    assert attention is not None
    few = replace(attention, labels=np.array([0] * 40 + [1] * 3), emotions=attention.emotions[:2])
    means = {e: np.full((64, 64), 10.0 * (i + 1), np.float32) for i, e in enumerate(few.emotions)}
    shown = heatmap_figures._behind(means, few, show_faces=False)
    assert (shown[Emotion.NEUTRAL] == 10).all()
    np.testing.assert_allclose(shown[Emotion.HAPPINESS], (40 * 10 + 3 * 20) / 43, rtol=1e-6)
    assert (heatmap_figures._behind(means, few, show_faces=True)[Emotion.HAPPINESS] == 20).all()
    assert "happiness, of fewer than 20 faces" in heatmap_figures._too_few(few, show_faces=False)


# --- tables ------------------------------------------------------------------------------------------------------


def test_counts_stand_beside_the_paper_with_their_difference(folder: Path) -> None:
    found = counts_table(replace(evidence(folder, {}), name="ferplus"))
    row = found.data.set_index("emotion").loc["happiness"]
    assert (row["paper_train"], row["paper_test"]) == (8326, 920)
    assert row["difference_test"] == row["test"] - 920
    assert found.id == "table-1-ferplus"
    assert found.data.set_index("emotion").loc["all", "paper_train"] == 30268
    kept = found.data.set_index("emotion").loc["all"]
    index = evidence(folder, {}).cache.index
    assert kept["train"] + kept["test"] == index["published"].sum() < len(index)


def test_a_data_set_that_was_not_given_shows_the_paper_s_counts_only() -> None:
    found = paper_counts_table("rafdb")
    assert found.label == "Table 2"
    assert list(found.data["paper_test"]) == [680, 1185, 329, 478, 162, 160, 74, 0]
    assert "was not given" in found.caption


def test_the_areas_are_those_of_the_paper(folder: Path) -> None:
    data = areas_table(evidence(folder, {})).data.set_index("area")
    assert dict(data["landmarks_published"]) == {area.value: LANDMARKS[area] for area in AREAS}
    assert data.loc["eyes", "landmarks_both_eyes"] == "18-27, 37-48"
    assert (data["visible_share_hull"] < data["visible_share_published"]).all()


def test_padding_table_needs_both_arms_and_measures_their_difference(folder: Path) -> None:
    found = evidence(folder, specs={"published": 0.0, "cut": 0.2})
    exhibit = padding_table(found, crop_arms(found, False), "published", "table-5")
    assert not exhibit.missing
    assert (exhibit.data["gain"] > 0.05).all()
    assert exhibit.data["paper_rafdb_padded"].tolist() == pytest.approx([PADDING[a][1] / 100 for a in AREAS])
    assert exhibit.shown is not None
    assert set(exhibit.shown["padding helps"]) == {"yes"}
    assert "does not train it" in padding_table(found, crop_arms(found, False), "hull", "table-f").missing
    one = evidence(folder, specs={"published": 0.0})
    assert padding_table(one, crop_arms(one, False), "published", "table-5").missing


def test_accuracy_table_says_what_is_not_trained(folder: Path) -> None:
    found = evidence(folder, {Area.MOUTH: 0.6, Area.WHOLE_FACE: 0.9}, seeds=(0, 1, 2))
    arms, majority = area_arms(found, False), area_arms(found, False, "majority")
    exhibit = accuracy_table(found, arms, majority, best_run=False)
    assert list(exhibit.data["area"]) == ["mouth", "whole_face"]
    assert "Not trained yet: nose, eyes" in exhibit.caption
    assert (exhibit.data["accuracy_low"] < exhibit.data["accuracy"]).all()
    assert set(exhibit.data["seeds"]) == {3}
    assert exhibit.data["majority_n"].iloc[0] == found.cache.index.query("split == 'test' and majority").shape[0]
    assert accuracy_table(evidence(folder, {}), None, None, False).missing


def test_an_earlier_stage_is_listed_and_counts_nowhere_else(folder: Path) -> None:
    found = evidence(folder)
    early = found.predictions[found.predictions["role"] == "areas"].assign(side=32, chosen=False)
    early[list(LOGIT_COLUMNS)] = -logits_of(early)
    both = replace(found, predictions=pd.concat([found.predictions, early], ignore_index=True))
    one, two = (accuracy_table(f, area_arms(f, False), None, False).data for f in (found, both))
    pd.testing.assert_frame_equal(one, two)
    stages = stages_table(both).data.set_index(["area", "side"])
    assert set(stages.index.get_level_values("side")) == {32, 64}
    assert (stages.xs(32, level="side")["chosen"] == 0).all()
    assert (stages.xs(64, level="side")["test"] > stages.xs(32, level="side")["test"]).all()
    assert stages.loc[("mouth", 64), "test"] == one.set_index("area").loc["mouth", "accuracy"]


def test_every_pair_of_areas_is_compared(folder: Path) -> None:
    found = evidence(folder)
    pairs = pairs_table(found, area_arms(found, False)).data
    assert len(pairs) == 21
    row = pairs[(pairs["first"] == "eyes") & (pairs["second"] == "whole_face")].iloc[0]
    assert row["difference_low"] > 0
    assert row["p_holm"] < 0.05


def test_crops_are_compared_with_the_published_ones(folder: Path) -> None:
    found = evidence(folder, {Area.EYES: 0.7}, specs={"published": 0.0, "hull": 0.3})
    data = specs_table(found, crop_arms(found, False)).data.set_index("spec")
    assert data.loc[STUDY_SPECS["hull"].key, "against_published_high"] < 0
    assert specs_table(evidence(folder), None).missing


def test_recall_table_leaves_out_emotions_without_faces(folder: Path) -> None:
    found = evidence(folder, {Area.MOUTH: 0.6})
    kept = found.predictions[found.predictions["label"] != "contempt"]
    lacking = replace(found, predictions=kept)
    assert "contempt" not in set(recall_table(lacking, area_arms(lacking, False)).data["emotion"])


def test_numbers_in_words() -> None:
    assert with_interval(Interval(0.8123, 0.8, 0.83, 10)) == "81.2 (80.0–83.0)"
    assert percent(float("nan")) == "–"
    assert [verdict(Interval(v, v - 1, v + 1, 9)) for v in (2.0, 0.5, -2.0)] == ["yes", "undecided", "no"]


# --- the page ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = evidence(folder, seeds=(0, 1), specs={"published": 0.0, "cut": 0.1, "hull": 0.1})
    return report.write([found], SETTING, tmp_path_factory.mktemp("page"))


def test_the_page_stands_alone(page: Path) -> None:
    text = page.read_text()
    assert not re.findall(r'src="(?!data:)', text)
    links = set(re.findall(r'href="([^"]*)"', text))
    outside = {link for link in links if not link.startswith(("#", "results/", "figures/"))}
    assert outside == {"https://doi.org/10.1007/s11633-019-1176-9"}
    assert all((page.parent / link).is_file() for link in links if link.startswith(("results/", "figures/")))
    assert "<script" not in text
    assert "mien study --preset quick" in text


def test_every_exhibit_has_its_numbers_and_every_figure_a_description(page: Path) -> None:
    text = page.read_text()
    ids = re.findall(r'<figure[^>]* id="([^"]+)"', text)
    missing = re.findall(r'<figure id="([^"]+)" data-kind="\w+">\s*<div class="missing">', text)
    assert {"table-1-ferplus", "table-4-drawn", "table-5-drawn", "table-6-drawn", "fig-4-drawn", "fig-6-drawn"} <= set(
        ids
    )
    assert "fig-a" in ids
    assert len(ids) == len(set(ids))
    for name in set(ids) - set(missing):
        rows = pd.read_csv(page.parent / "results" / f"{name}.csv")
        about = json.loads((page.parent / "results" / f"{name}.json").read_text())
        assert len(rows) == len(about["rows"]) > 0
    assert all(len(alt) > 20 for alt in re.findall(r'<img [^>]*alt="([^"]*)"', text))
    drawn = {path.stem for path in (page.parent / "figures").iterdir()}
    assert drawn == {name for name in set(ids) - set(missing) if name.startswith("fig-")}


def test_a_report_of_nothing_trained_says_so_in_every_place(folder: Path, tmp_path: Path) -> None:
    path = report.write([evidence(folder, {}, maps=False)], replace(SETTING, show_faces=False), tmp_path)
    text = path.read_text()
    assert "This report is partial: 0 of 8 planned trainings" in text
    for name in ("table-5-drawn", "table-6-drawn", "fig-5a-drawn", "fig-6-drawn", "fig-7-drawn"):
        assert re.search(rf'id="{name}"[^>]*>\s*<div class="missing">', text), name
    assert "table-4-drawn" in {p.stem for p in (tmp_path / "results").iterdir()}
    assert "No picture of a data set" in text
    assert set(pd.read_csv(tmp_path / "results" / "fig-4-drawn.csv")["sample_id"]) == {"astronaut.jpg"}


def test_the_published_protocol_leaves_authenticity_out_and_says_why(folder: Path) -> None:
    paper, found = replace(SETTING, preset="paper", select_on="test", best_run=True), evidence(folder, maps=False)
    assert "trains on the validation split too" in str(trust_of(found, paper))
    assert (
        "best of several trainings on the test set" in accuracy_table(found, area_arms(found, True), None, True).caption
    )
    assert "needs all seven area networks" in str(trust_of(evidence(folder, {Area.MOUTH: 0.5}), SETTING))


def test_two_data_sets_share_one_table_and_the_same_results_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    first = evidence(folder, {Area.MOUTH: 0.6})
    other = make_cache(tmp_path / "other", 96, dataset="other", seed=1)
    second = replace(evidence(other, {Area.MOUTH: 0.5, Area.NOSE: 0.4}, maps=False), name="other")
    (tmp_path / "b" / "results").mkdir(parents=True)
    (tmp_path / "b" / "results" / "old-figure.csv").write_text("stale\n")
    a, b = (report.write([first, second], replace(SETTING, show_faces=False), tmp_path / name) for name in "ab")
    rows = pd.read_csv(tmp_path / "a" / "results" / "table-6.csv")
    assert list(zip(rows["area"], rows["dataset"], strict=True)) == [
        ("mouth", "drawn"), ("mouth", "other"), ("nose", "other"),
    ]  # fmt: skip
    assert "the study on drawn and other" in a.read_text()
    assert a.read_bytes() == b.read_bytes()
    assert {p.name: p.read_bytes() for p in (tmp_path / "a").rglob("*.*")} == {
        p.name: p.read_bytes() for p in (tmp_path / "b").rglob("*.*")
    }


def test_a_page_made_again_from_its_result_files_is_the_same_to_the_byte(page: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copy"
    (copied / "results").mkdir(parents=True)
    for file in [page.parent / "settings.json", *(page.parent / "results").iterdir()]:
        (copied / file.relative_to(page.parent)).write_bytes(file.read_bytes())
    assert main(["study", "--report-from", str(copied)]) == 0
    assert (copied / "report.html").read_bytes() == page.read_bytes()
    drawn = {path.name: path.read_bytes() for path in (page.parent / "figures").iterdir()}
    assert {path.name: path.read_bytes() for path in (copied / "figures").iterdir()} == drawn


@pytest.mark.parametrize("damage", ["nothing", "no settings", "cut json", "unknown exhibit"])
def test_a_folder_that_is_no_finished_study_is_one_sentence(
    damage: str, page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if damage != "nothing":
        shutil.copytree(page.parent, tmp_path, dirs_exist_ok=True)
    if damage == "no settings":
        (tmp_path / "settings.json").unlink()
    elif damage == "cut json":
        file = tmp_path / "results" / "table-6-drawn.json"
        file.write_text(file.read_text()[:100])
    elif damage == "unknown exhibit":
        file = tmp_path / "results" / "table-6-drawn.json"
        file.write_text(file.read_text().replace('"id": "table-6-drawn"', '"id": "table-z-drawn"'))
    assert main(["study", "--report-from", str(tmp_path)]) == 3
    error = capsys.readouterr().err.strip()
    assert error.startswith("mien: ")
    assert len(error.splitlines()) == 1
    assert main(["study", "--report-from", str(tmp_path), "--data", "ferplus:x"]) == 2
    assert main(["study", "--subsets", str(tmp_path)]) == 2


def test_letters_rise_in_the_order_of_the_page_and_the_paper_s_numbers_too() -> None:
    for kind in ("table", "fig"):
        numbers = [key.partition("-")[2] for key in ORDER if key.startswith(kind)]
        assert len(numbers) == len(set(numbers))
        ours, papers = [n for n in numbers if n.isalpha()], [n for n in numbers if not n.isalpha()]
        assert ours == list(ascii_lowercase[: len(ours)])
        assert papers == sorted(papers)
    assert set(DRAW) == {key for key in ORDER if key.startswith("fig")}


def test_every_table_or_figure_that_a_caption_names_is_there(page: Path) -> None:
    about = [json.loads(file.read_text()) for file in (page.parent / "results").glob("*.json")]
    labels = {a["label"] for a in about} | {"Table P", "Table Q"}
    named = {name for a in about for name in re.findall(r"(?:Table|Fig\.) (?:\d\w?|[A-Z])\b", a["caption"])}
    assert named
    assert named <= labels
    assert '<a href="#table-j-drawn">Table J</a>' in page.read_text()


def test_none_of_a_few_faces_is_not_a_certain_zero(folder: Path) -> None:
    found = evidence(folder)
    arms = area_arms(found, False)
    data = recall_table(found, arms).data
    few = data[data["n"] < FEW]
    assert len(few)
    assert (few["recall_high"] > few["recall_low"]).all()
    none = Confusions(("arm",), np.zeros((1, 8, 8)), np.zeros((9, 1, 8, 8)), 21, {})
    share = none.share(lambda c: np.zeros(c.shape[:-3]), 21)
    assert share is not None
    assert share.low == 0
    assert share.high == pytest.approx(0.1546, abs=1e-3)  # Wilson, 0 of 21


def test_a_summary_says_what_decides_each_finding() -> None:
    def claims(*answers: tuple[str, float]) -> pd.DataFrame:
        return pd.DataFrame([
            {"finding": finding, "claim": f"Claim {low}", "measure": "", "answer": answer, "unit": "points",
             "margin": low + 0.1, "low": low, "high": low + 0.2, "n": 9}
            for finding in range(1, 6)
            for answer, low in answers
        ])  # fmt: skip

    def decided(*answers: tuple[str, float]) -> pd.Series:
        return summary_table([("drawn", "drawn", claims(*answers))]).data.iloc[0]

    assert decided(("yes", 0.3), ("yes", 0.1))["claim"] == "Claim 0.1"
    assert decided(("yes", 0.3), ("undecided", -0.1))["answer"] == "undecided"
    row = decided(("yes", 0.3), ("undecided", -0.1), ("no", -0.4))
    assert (row["answer"], row["claim"], row["no"], row["claims"]) == ("no", "Claim -0.4", 1, 3)


def test_pictures_and_numbers_survive_their_files(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (8, 16, 3), np.uint8)
    pictures = {"rgb": picture, "gray": picture[..., 0]}
    Exhibit("fig-6-drawn", "T", "C", "figure", pd.DataFrame({"a": [1.5, None]}), None, pictures, "alt").write(tmp_path)
    back = Exhibit.read(tmp_path / "fig-6-drawn.json")
    assert all(np.array_equal(back.pictures[name], pictures[name]) for name in pictures)
    assert (back.key, back.dataset, back.label) == ("fig-6", "drawn", "Fig. 6")
    assert back.data["a"].isna().tolist() == [False, True]


def test_accuracy_of_empty_rows_is_not_a_number() -> None:
    with np.errstate(invalid="ignore"):
        assert np.isnan(accuracy(np.zeros((8, 8))))
