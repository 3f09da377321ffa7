"""At a glance: the card says no more than the tests, the figure fits its data, costs are compared within one device."""

import csv
import re

import numpy as np
import pytest

from study.report.build import build_report
from study.report.collect import collect
from study.report.picture import shortened
from study.report.sections.conclusions import FEWEST, conclusions, leading
from study.report.sections.differences import MOST_ROWS
from study.report.sections.glance import ranking_picture
from tests.changed import replace
from tests.factories import keep, make_record, make_store


def card(store):
    text = build_report(store).markdown.split("\n## At a glance\n")[1].split("\n## ")[0]
    lines = [line.split("|") for line in text.splitlines() if line.startswith("| **")]
    return {line[1].strip(" *"): line[2].strip() for line in lines}


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """Three seeds of two models under four protocols."""
    return make_store(tmp_path_factory.mktemp("s"), models=["cnn3", "cnn5"], seeds=(0, 1, 2), flaws=False)


def test_the_card_comes_first_then_the_figure_then_the_sentences(seeded):
    text = build_report(seeded).markdown
    order = ["## At a glance", "| **Best** |", "figures/leaderboard.png", "## Conclusions", "## Leaderboard"]
    places = [text.index(one) for one in order]
    assert places == sorted(places) and text.count("figures/leaderboard.png") == 1


def test_the_card_agrees_with_the_headline(seeded):
    data, shown = collect(seeded), card(seeded)
    assert set(shown) == {"Best", "Test accuracy", "How sure", "Training", "Factors"}
    assert shown["Best"].startswith(str(data.ranked[0].recipe))
    assert shown["Test accuracy"].startswith(f"**{100 * data.found.winner().value:.1f} %** (95 % interval")
    assert shown["Training"] == "the best had its best epoch before the budget ended"
    assert "3 seeds; best of 8 recipes" in shown["How sure"]


def test_one_seed_is_not_called_sure_nor_a_rising_run_converged(tmp_path):
    shown = card(keep(tmp_path, make_record(skill=4.0, converged=False), make_record("cnn5", skill=0.8)))
    assert "1 seed" in shown["How sure"] and "another seed could change the order" in shown["How sure"]
    assert re.search(
        r"\(95 % interval \S+ to \S+ over new images, for what was trained here\); always", shown["Test accuracy"]
    )
    assert shown["Training"].startswith("the best was still improving when the budget ended; 1 of 2 runs in all was")


def uneven(tmp_path, seeded, others=("cnn5",)):
    """Keep two protocols of some models with three seeds and of others, which are better, with one."""
    records = [
        make_record(model, protocol, seed, skill=skill)
        for models, seeds, skill in ((seeded, range(3), 1.2), (others, range(1), 4.0))
        for model in models
        for protocol in ("baseline", "augment")
        for seed in seeds
    ]
    return keep(tmp_path, *records)


def test_a_best_with_one_seed_is_not_compared_in_words_about_recipes_with_three(tmp_path):
    store = uneven(tmp_path, ["cnn3"])
    data = collect(store)
    best = data.ranked[0].recipe
    assert best.model == "cnn5" and {one.model for one in data.found.recipes.compared} == {"cnn3"}
    alike = {one.first for one in data.found.networks.declared if not one.told_apart}
    assert alike == {recipe for recipe in data.found.networks.compared if recipe.model == "cnn5"} - {best}
    assert card(store)["How sure"] == (
        f"1 seed; not significantly different from {alike.pop()}; another seed could change the order"
    )
    first, rest = leading(data)
    assert any(one.startswith(f"With seed 0, {best} scores higher on the test split than cnn3 /") for one in first)
    assert any(one.startswith("Of the 2 recipes with three seeds or more, cnn3 /") for one in rest)
    assert "highest mean of those with three seeds" in build_report(store).markdown


def test_a_best_with_three_seeds_says_which_others_it_is_compared_with(tmp_path):
    records = [make_record("cnn5", seed=seed, skill=4.0) for seed in range(3)]
    records += [make_record("cnn3", seed=seed, skill=1.0) for seed in range(3)]
    records += [make_record("cnn3", "oversample", seed=seed, skill=1.0) for seed in range(3)]
    shown = card(keep(tmp_path, *records, make_record("cnn2", skill=1.0)))["How sure"]
    assert shown.endswith("significantly different from the 2 others with three seeds")


@pytest.mark.parametrize("seeded", [["cnn3"], ["cnn2", "cnn3"]])
def test_effects_of_the_models_with_three_seeds_stand_beside_those_of_all(tmp_path, seeded):
    every = ["cnn2", "cnn3", "cnn5"]
    store = uneven(tmp_path, seeded, [model for model in every if model not in seeded])
    data, report = collect(store), build_report(store)
    found, few = data.found, len(seeded) == 1
    views = {one.question: one for one in (found.effects, found.other_effects)}
    behind = {
        question: {recipe.model for recipe in one.overall["accuracy"][0].contrast.weights}
        for question, one in views.items()
    }
    assert behind == {"network": {*every}, "recipe": {*seeded}}
    assert found.effects.question == ("network" if few else "recipe"), "what covers half of the recipes leads"
    said = " ".join(conclusions(data))
    assert "With seed 0, augmentation" in said
    assert f"For {' and '.join(seeded)}, over new seeds, augmentation" in said
    name = "augmentation" if few else "augmentation (cnn2 and cnn3)"
    assert card(store)["Factors"].startswith(f"{name} ")
    other = f"factor-effects-of-{'recipes' if few else 'networks'}.csv"
    assert {row["model"] for row in csv.DictReader(report.tables[other].splitlines())} >= {"all"}


def test_a_factor_that_another_seed_turns_round_is_not_asserted(tmp_path):
    skills = {("augment", 0): 3.0, ("augment", 1): 1.0, ("baseline", 0): 1.2, ("baseline", 1): 1.8}
    records = [make_record("cnn3", protocol, seed, skill=skill) for (protocol, seed), skill in skills.items()]
    assert "the seeds disagree" in card(keep(tmp_path, *records))["Factors"]


def test_a_card_without_anything_ranked_names_no_best(tmp_path):
    assert card(keep(tmp_path, make_record(epochs=1))) == {"Best": "nothing that may be ranked has finished"}


def test_the_sentences_that_lead_hold_the_headline_and_every_caveat_and_none_is_lost(seeded):
    data = collect(seeded)
    first, rest = leading(data)
    assert sorted(first + rest) == sorted(conclusions(data)) and len(first) == FEWEST
    assert "is best on the validation split" in first[0] and not any("temperature" in one for one in first)


def test_failed_seeds_lead_however_many_sentences_there_are(tmp_path):
    records = [make_record(seed=seed) for seed in range(3)] + [make_record(seed=3, status="failed")]
    first, _ = leading(collect(keep(tmp_path, *records)))
    assert any("did not finish and is left out" in one for one in first)


def test_the_axis_of_the_leaderboard_fits_the_data_and_nothing_leaves_the_figure(seeded):
    data = collect(seeded)
    picture = ranking_picture(data, data.found)
    figure = picture.draw()
    (axes,) = figure.axes
    shown = [
        value for row in picture.data["rows"] for name in ("test", "validation", "interval") for value in row[name]
    ]
    low, high = axes.get_xlim()
    assert low <= 100 * min(shown) and 100 * max(shown) <= high
    assert high - low < 1.2 * 100 * (max(shown) - min(shown)) + 1.1
    figure.canvas.draw()
    width, height = figure.canvas.get_width_height()
    for label in [*axes.get_yticklabels(), *figure.legends[0].get_texts()]:
        box = label.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height


def test_marks_of_validation_test_and_single_runs_do_not_hide_each_other(seeded):
    data = collect(seeded)
    (axes,) = ranking_picture(data, data.found).draw().axes
    heights = {line.get_marker(): {value % 1 for value in np.ravel(line.get_ydata())} for line in axes.lines}
    assert not heights["D"] & heights["o"] and not heights["."] & heights["o"] and not heights["."] & heights["D"]


def test_long_names_keep_their_ends():
    assert shortened("x" * 60 + "end", 20).endswith("end") and len(shortened("x" * 60, 20)) == 21


def test_the_matrix_gives_way_to_letters_where_cells_would_be_too_small(tmp_path):
    names = ("baseline", "oversample", "augment", "oversample+augment")
    models = ("cnn2", "cnn3", "cnn5", "vgg16")
    store = keep(tmp_path, *(make_record(model, name, skill=2.0) for model in models for name in names))
    assert len(models) * len(names) > MOST_ROWS
    report = build_report(store)
    assert "contrasts.png" not in report.pictures and "those that share no letter" in report.markdown


def test_the_best_run_s_confusion_matrix_is_open(seeded):
    report, data = build_report(seeded), collect(seeded)
    best = max(data.ranked[0].runs, key=lambda run: run.validation.accuracy)
    assert report.pictures["confusion-best.png"].data["panels"][0]["counts"] == best.test.confusion.tolist()
    text = report.markdown.split("\n## Confusion matrices\n")[1]
    assert text.index("confusion-best.png") < text.index("<details>")


def costs(report):
    return list(csv.DictReader(report.tables["cost.csv"].splitlines()))


def test_one_table_joins_accuracy_and_every_cost(seeded):
    report = build_report(seeded)
    keys = ("test_accuracy", "test_accuracy_low", "parameters", "macs", "latency_single_ms", "train_s")
    assert len(costs(report)) == 8 and all(float(row[key]) > 0 for row in costs(report) for key in keys)
    text = report.markdown.split("\n## Accuracy and cost\n")[1].split("\n## ")[0]
    assert "<details open>" in text and "| device" not in text


def test_times_of_two_devices_are_neither_averaged_nor_drawn_together(tmp_path):
    def on(record, device, seconds):
        where = replace(record.provenance, device=device)
        return replace(record, provenance=where, timing=replace(record.timing, train_s=seconds))

    records = [on(make_record(seed=seed), "Example GPU", 10.0) for seed in (0, 1)]
    records += [
        on(make_record(seed=2), "", 1000.0),
        on(make_record("cnn5"), "", 500.0),
        on(make_record("cnn2"), "", 70.0),
    ]
    report = build_report(keep(tmp_path, *records))
    found = {(row["model"], row["device"]): float(row["train_s"]) for row in costs(report)}
    assert found.pop(("cnn3", "Example GPU")) == 10.0
    assert {model: found[model, "Example CPU"] for model, _ in found} == {"cnn2": 70.0, "cnn3": 1000.0, "cnn5": 500.0}
    drawn = {row["model"]: row["train_s"] for row in report.pictures["pareto.png"].data}
    assert drawn["cnn5"] == 500.0 and drawn["cnn3"] == 1000.0
    assert (
        "times on Example CPU" in report.pictures["pareto.png"].alt
        and "the table has a row for each" in report.markdown
    )
