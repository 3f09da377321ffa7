"""The report's pages on leakage: the ladder, what is not ranked, scores on fewer images, published claims."""

import csv
import io
from pathlib import Path

import pytest

from study.core.record import SplitFacts
from study.core.store import Store
from study.report.build import build_report
from study.report.sections.claims import FILE, read_published
from tests.changed import replace
from tests.factories import make_card, make_counts, make_dataset, make_record

COUNTS = make_counts(640, 60, 120)
CARD = make_card("fake", COUNTS)
PAIR = ("leaky/oversample-before-split", "clean-twin/oversample-after-split")


def build(tmp_path, *protocols, card=CARD, seeds=(0,), dataset=True, ferplus=None):
    store = Store(tmp_path, "s")
    for protocol in protocols:
        for seed in seeds:
            store.keep(make_record("cnn3", protocol, seed, card=card))
    if dataset:
        store.keep_dataset(make_dataset(card))
    if ferplus is not None:
        store.keep_ferplus(ferplus)
    return build_report(store)


def rows(report, table):
    return list(csv.DictReader(io.StringIO(report.tables[f"{table}.csv"])))


def test_a_study_without_leaky_runs_has_no_word_on_leakage(tmp_path):
    report = build(tmp_path, "baseline")
    assert "## Leakage" not in report.markdown and "leakage.csv" not in report.tables
    assert "leakage.png" not in report.pictures
    assert "the test split was predicted once, at the end of each run" in report.markdown


def test_the_ladder_says_claimed_leaky_clean_and_worth(tmp_path):
    report = build(tmp_path, "baseline", *PAIR)
    (row,) = rows(report, "leakage")
    assert float(row["worth"]) == pytest.approx(float(row["leaky"]) - float(row["clean"]), abs=1e-5)
    assert float(row["worth_low"]) < float(row["worth"]) < float(row["worth_high"])
    assert float(row["claimed"]) > float(row["leaky"]) > float(row["clean"])
    assert row["statement_about"] == "network" and len(row["runs"].split()) == 2
    assert {"leakage.png", "leakage-by-epoch.png"} <= set(report.pictures)
    assert len(rows(report, "leakage-by-epoch")) == 8
    assert "**cnn3 / leaky/oversample-before-split** reports" in report.markdown
    assert "for the trained networks, 1 seed" in report.markdown


def test_from_three_seeds_the_ladder_speaks_of_recipes(tmp_path):
    report = build(tmp_path, *PAIR, seeds=(0, 1, 2))
    assert rows(report, "leakage")[0]["statement_about"] == "recipe"
    assert "(for the trained networks" not in report.markdown


def test_what_is_scored_on_another_split_is_never_ranked_beside_the_rest(tmp_path):
    report = build(tmp_path, "baseline", *PAIR)
    assert {row["protocol"] for row in rows(report, "leaderboard")} == {"baseline"}
    both = "cnn3 / clean-twin/oversample-after-split and cnn3 / leaky/oversample-before-split"
    assert f"Listed under Leakage instead: {both}." in report.markdown
    assert len([name for name in report.tables if name.startswith("confusion/")]) == 3, "but every run is shown"


def test_a_study_of_nothing_but_a_pair_has_a_report(tmp_path):
    report = build(tmp_path, *PAIR)
    assert "No run on the data set's own test split has finished." in report.markdown
    assert "No run that may be ranked has finished" in report.markdown and "## Learning curves" in report.markdown
    for name in report.pictures:
        assert f"figures/{name}" in report.markdown


def test_the_oracle_s_twin_is_ranked_and_the_oracle_is_not(tmp_path):
    report = build(tmp_path, "leaky/checkpoint-on-test", "clean-twin/checkpoint-on-validation")
    ranks = {row["protocol"]: row["rank"] for row in rows(report, "leaderboard")}
    assert ranks == {"clean-twin/checkpoint-on-validation": "1", "leaky/checkpoint-on-test": ""}


def test_leaks_stand_by_what_they_are_worth(tmp_path):
    choices = ("leaky/checkpoint-on-test", "leaky/test-as-validation", "clean-twin/checkpoint-on-validation")
    report = build(tmp_path, *choices, *PAIR)
    worth = [
        float(row["worth_reweighted" if "oversample" in row["leak"] else "worth"]) for row in rows(report, "leakage")
    ]
    assert len(worth) == 3 and worth == sorted(worth, reverse=True)
    assert "It is not the leaderboard's clean twin, which keeps the lowest loss." in report.markdown
    assert "`checkpoint-on-test` keeps the epoch with the highest test accuracy" in report.markdown
    assert "It is not the leaderboard's clean twin" not in build(tmp_path / "pair", *PAIR).markdown


def test_a_test_split_that_serves_as_validation_gives_no_validation_accuracy(tmp_path):
    report = build(tmp_path, "leaky/test-as-validation", "clean-twin/checkpoint-on-validation")
    for table in ("leaderboard", "test-time-views"):
        shown = {row["protocol"]: row["validation_accuracy"] for row in rows(report, table)}
        assert shown["clean-twin/checkpoint-on-validation"] and not shown["leaky/test-as-validation"]


def test_a_leak_without_its_twin_is_shown_without_a_worth(tmp_path):
    report = build(tmp_path, "baseline", PAIR[0])
    (row,) = rows(report, "leakage")
    assert row["claimed"] and not row["worth"]
    assert "no run of its clean twin `clean-twin/oversample-after-split`" in report.markdown


def test_answers_are_scored_again_without_what_training_knew(tmp_path):
    report = build(tmp_path, "baseline")
    (row,) = rows(report, "rescoring")
    assert {"accuracy_all", "accuracy_without_copies", "accuracy_without_near_copies"} <= set(row)
    assert "without copies, 102" in report.markdown and "FER+" not in report.markdown
    assert "therefore not the value of the copies alone" in report.markdown


def test_ferplus_labels_that_the_store_has_are_a_column(tmp_path):
    report = build(tmp_path, "baseline", ferplus=make_dataset(CARD)["labels"])
    (row,) = rows(report, "rescoring")
    assert row["accuracy_ferplus"] == row["accuracy_all"], "here they are the set's own"
    assert "FER+ labels come from ten taggers" in report.markdown


def test_near_copies_that_are_not_recorded_are_said_to_be_so(tmp_path):
    store = Store(tmp_path, "s")
    store.keep(make_record("cnn3", "baseline", card=CARD))
    dataset = make_dataset(CARD)
    del dataset["near_groups"]
    store.keep_dataset(dataset)
    assert "Near copies are not recorded in this study" in build_report(store).markdown


def test_without_a_dataset_file_nothing_is_scored_again(tmp_path):
    assert "rescoring.csv" not in build(tmp_path, "baseline", dataset=False).tables


FER2013 = make_card("fer2013", COUNTS)


def test_published_claims_stand_beside_the_nearest_that_was_measured(tmp_path):
    report = build(tmp_path, "baseline", PAIR[0], PAIR[1], card=FER2013)
    found = {row["source"]: row for row in rows(report, "claims")}
    notebook = found["five-convolution notebook with RandomOverSampler"]
    assert notebook["nearest"] == "cnn3 / leaky/oversample-before-split"
    (leak,) = rows(report, "leakage")
    assert (notebook["nearest_claimed"], notebook["nearest_clean"]) == (leak["claimed"], leak["clean_reweighted"])
    honest = found["TinyFER-Lite, 0.93 M parameters"]
    assert honest["nearest"] == "cnn3 / baseline" and not honest["nearest_claimed"]
    assert "Best epoch chosen on PrivateTest" in report.markdown
    assert not found["winner of the 2013 challenge"]["nearest"], "no network here is nearly as good"
    (board,) = rows(report, "leaderboard")
    shown = honest["nearest_validation"], honest["nearest_clean"]
    assert shown == (board["validation_accuracy"], board["test_accuracy"])
    assert board["validation_accuracy"] != board["test_accuracy"] and not notebook["nearest_validation"]
    beside = [bool(row["nearest"]) for row in found.values()]
    assert beside == sorted(beside, reverse=True), "claims without anything beside them come last"
    assert "<details open>" in report.markdown.partition("## Published claims")[2]


def test_claims_are_open_where_a_study_repeats_one(tmp_path):
    def claims(*protocols: str) -> str:
        return build(tmp_path, *protocols, card=FER2013).markdown.partition("## Published claims")[2]

    assert "<details open>" not in claims("baseline") and "<details open>" in claims("as-published/cnn3-blocks")


def test_claims_on_fer2013_say_nothing_about_other_data(tmp_path):
    assert "claims.csv" not in build(tmp_path, "baseline").tables


def test_every_claim_has_a_source_a_caveat_and_numbers_that_are_percent():
    claims = read_published()
    assert len({claim.source for claim in claims}) == len(claims) > 10
    for claim in claims:
        numbers = [one for one in (claim.train, claim.validation, claim.test, claim.test_from) if one is not None]
        assert claim.caveat and numbers and all(20 < one < 100 for one in numbers)


def test_recipes_named_by_claims_exist():
    """A slip in a name would silently leave a claim alone."""
    from study.models.entry import MODELS
    from study.protocols import PROTOCOLS

    for claim in read_published():
        for recipe in claim.near:
            model, protocol = recipe.split(" / ")
            if protocol == "imported":
                assert [*Path("results/published").glob(f"*/{model}/imported/seed_*.json")]
            else:
                assert model in MODELS.names() and protocol in PROTOCOLS.names()


def test_a_slip_in_the_claims_is_named(tmp_path):
    path = tmp_path / "claims.toml"
    path.write_text(FILE.read_text().replace("caveat", "caveats", 1))
    with pytest.raises(Exception, match="caveats"):
        read_published(path)


def test_a_record_of_before_splits_were_described_is_on_the_set_s_own(tmp_path):
    record = make_record("cnn3", "baseline", card=CARD)
    assert not record.splits and record.on_own_test
    assert replace(record, splits=SplitFacts(source="", counts={}, hashes={}, own_test=False)).on_own_test is False
