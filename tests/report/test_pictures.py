"""Figures that can be read, and what the sections say beside them."""

import csv
import io

import numpy as np
import pytest

from study.analysis.factors import WAYS
from study.report.build import build_report
from study.report.picture import WIDTH_IN, add_legend, labels_of, legend_rows, new_figure
from study.report.sections.calibration import _FEWEST
from study.report.sections.confusion import _BETWEEN, confusion_picture
from tests.changed import replace
from tests.factories import keep, make_record, make_store


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Return the report of two models under four protocols with three seeds, of which one is leaky."""
    store = make_store(tmp_path_factory.mktemp("s"), models=["cnn3", "cnn5"], seeds=(0, 1, 2), flaws=False)
    for name in ("leaky/oversample-before-split", "clean-twin/oversample-after-split", "leaky/checkpoint-on-test"):
        store.keep(make_record(protocol=name))
    return build_report(store)


def section(report, title):
    return report.markdown.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("length", [10, 35, 60])
def test_a_legend_stays_inside_the_figure_and_has_the_rows_that_were_made_room_for(length):
    marks = [{"label": f"{'long name ' * 6}"[: length - place % 3]} for place in range(9)]
    figure = new_figure(3.0)
    add_legend(figure, marks, columns=6)
    figure.canvas.draw()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width == WIDTH_IN * figure.dpi
    assert len({round(text.get_window_extent().y0) for text in legend.get_texts()}) == legend_rows(marks, 6)


def test_labels_keep_what_tells_recipes_apart():
    ways = [f"vgg16 (random weights) / {WAYS}random-start@rate=0.0003", f"vgg16 (from ImageNet) / {WAYS}full"]
    assert labels_of(ways, 42) == ["vgg16 (random) / random-start@rate=0.0003", "vgg16 (pretrained) / full"]
    assert labels_of([*ways, "cnn3 / baseline"])[1] == f"vgg16 (pretrained) / {WAYS}full", (
        "not all are ways to transfer"
    )


def test_titles_of_confusion_matrices_end_inside_the_picture():
    panels = [{"title": f"clean-twin/{'long-' * 8}: accuracy 55.1 %", "counts": np.eye(7, dtype=int).tolist()}] * 2
    image = np.asarray(confusion_picture("c", "alt", "a very long name " * 12, list("abcdefg"), panels).draw())
    assert (image[:70, -_BETWEEN // 2 :] == 255).all()


def test_bins_with_few_answers_break_the_line(report):
    lines = [line for panel in report.pictures["reliability.png"].data for line in panel["lines"]]
    assert any(None in line["accuracy"] for line in lines)
    assert f"fewer than {_FEWEST} answers" in section(report, "Calibration")


def test_learning_curves_show_the_mean_over_seeds_and_leaky_runs_beside_their_twins(report):
    picture, text = report.pictures["learning-curves.png"], section(report, "Learning curves")
    panels = dict(zip(picture.data, picture.draw().axes, strict=False))
    assert list(panels) == ["cnn3", "cnn5", "cnn3 / checkpoint-on-test", "cnn3 / oversample-before-split"]
    pair = {curve["protocol"] for curve in picture.data["cnn3 / oversample-before-split"]}
    assert pair == {"leaky/oversample-before-split", "clean-twin/oversample-after-split"}
    curves = [line for line in panels["cnn5"].lines if line.get_linestyle() == "-" and line.get_linewidth() != 0.6]
    assert len(curves) == 4, "a mean for each protocol"
    single = [line.get_ydata() for line in panels["cnn5"].lines if line.get_linewidth() == 0.6][:3]
    assert np.allclose(curves[0].get_ydata(), np.mean(single, axis=0))
    assert "the one with the lowest validation loss (leaky/checkpoint-on-test: the one with the highest test" in text
    assert "does not compare with that of clean runs" in text


def test_the_axis_of_losses_has_room_for_two_decimals(report):
    figure = report.pictures["curves-cnn5.png"].draw()
    loss = figure.axes[0]
    loss.set_yticks([0.75])
    figure.canvas.draw()
    assert loss.yaxis.label.get_window_extent().x0 >= 0


def test_effects_name_their_models(report):
    text = section(report, "What each factor does")
    for row in ("augmentation | cnn3, cnn5", "oversampling × model | cnn5 vs cnn3"):
        assert row in " ".join(text.split())
    table = list(csv.DictReader(io.StringIO(report.tables["factor-effects.csv"])))
    assert {row["model"] for row in table if row["factor"] == "augmentation"} == {"all", "cnn3", "cnn5"}


def test_an_effect_that_one_model_ran_alone_is_not_that_of_all(tmp_path):
    report = build_report(keep(tmp_path, make_record(), make_record(protocol="augment"), make_record("cnn5")))
    assert "| augmentation | cnn3 |" in " ".join(section(report, "What each factor does").split())
    assert "For cnn3, with seed 0, augmentation " in report.markdown and "| augmentation (cnn3) " in report.markdown


def test_sections_without_a_comparison_are_left_out(tmp_path):
    markdown = build_report(keep(tmp_path, make_record())).markdown
    assert "## Differences" not in markdown and "## What each factor does" not in markdown


def test_latency_is_the_network_s_under_any_protocol(tmp_path):
    def slow(record, milliseconds):
        return replace(record, cost=replace(record.cost, latency_single_ms=milliseconds))

    report = build_report(keep(tmp_path, slow(make_record(), 2.0), slow(make_record(protocol="augment"), 4.0)))
    rows = csv.DictReader(io.StringIO(report.tables["cost.csv"]))
    assert [float(row["latency_single_ms"]) for row in rows] == [3.0, 3.0]
    assert "pareto.png" not in report.pictures, "two costs show no trade-off"


def test_the_training_time_of_a_head_alone_is_marked_and_not_drawn(tmp_path):
    frozen = make_record("vgg16")
    phase = replace(frozen.spec.protocol.phases[0], trainable="head")
    frozen = replace(frozen, spec=replace(frozen.spec, protocol=replace(frozen.spec.protocol, phases=(phase,))))
    report = build_report(keep(tmp_path, frozen, *(make_record(model) for model in ("cnn2", "cnn3", "cnn5"))))
    drawn = {row["model"]: row["train_s"] for row in report.pictures["pareto.png"].data}
    assert drawn["vgg16"] is None and drawn["cnn3"] > 0
    (row,) = [line for line in section(report, "Accuracy and cost").splitlines() if "| vgg16" in line]
    assert "(head alone)" in row and section(report, "Accuracy and cost").count("(head alone)") == 1
