"""Charts are plain data: valid Vega-Lite that shows the numbers it was given, in the report's colours."""

import json
import math

import altair
import numpy as np
import pytest

from study.analysis.scores import NETWORK, Statement
from study.core.record import Epoch
from study.report.picture import protocol_colours
from study.web.charts import (
    COSTS,
    cost_chart,
    curves_chart,
    differences_chart,
    matrix_chart,
    probabilities_chart,
    ranking_chart,
)
from study.web.overview import leaderboard_rows
from tests.changed import replace


def statement(value, low, high):
    return Statement(NETWORK, value, low, high, 0.5, ())


def charts(data):
    rows, protocols = leaderboard_rows(data), data.naming.protocols
    nan = float("nan")
    records = {run.record.key: run.record for run in data.runs[:3]}
    yield ranking_chart(rows, protocols)
    for cost, key in COSTS.items():
        yield cost_chart([row for row in rows if row[key]], cost, protocols)
    yield curves_chart(records, "loss")
    yield curves_chart(dict([*records.items()][:1]), "accuracy", training=False)
    yield differences_chart(["a", "b"], [statement(0.1, 0.05, 0.2), statement(0, nan, nan)], [True, False])
    yield matrix_chart(["a", "b"], np.array([[0.5, 0.5], [0, 1]]), difference=False)
    yield matrix_chart(["a", "b"], np.array([[0.1, -0.1], [0, 0]]), difference=True)
    yield probabilities_chart(["a", "b"], [0.2, 0.8])


def test_every_chart_is_valid_and_json(data):
    for chart in charts(data):
        json.loads(json.dumps(chart, allow_nan=False))
        altair.Chart.from_dict(chart)


def test_scores_stand_beside_names_and_open_marks_below_filled_ones(data):
    rows = leaderboard_rows(data)
    chart = ranking_chart(rows, data.naming.protocols)
    words = [one["words"] for one in chart["data"]["values"]]
    assert all(f"{row['test']:.1f}   {row['name']}" in said for row, said in zip(rows, words, strict=True))
    filled, open_ones = (layer["mark"] for layer in chart["layer"] if layer["mark"]["type"] == "point")
    assert open_ones["filled"] is False
    assert (open_ones["yOffset"] - filled["yOffset"]) ** 2 > filled["size"] * 0.8


def test_protocols_have_the_reports_colours(data):
    rows = leaderboard_rows(data)
    used = {
        row["protocol"]: one["colour"]
        for row, one in zip(rows, ranking_chart(rows, data.naming.protocols)["data"]["values"], strict=True)
    }
    theirs = protocol_colours(data.naming.protocols)
    assert all(used[name] == theirs[name] for name in ("oversample", "augment"))


def test_only_clear_differences_are_filled_and_coloured():
    found = [statement(0.1, 0.05, 0.2), statement(-0.1, -0.2, -0.01), statement(0.1, -0.1, 0.3)]
    values = differences_chart(["a", "b", "c"], found, [True, True, False])["data"]["values"]
    assert [one["fill"] == "transparent" for one in values] == [False, False, True]
    assert len({one["colour"] for one in values}) == 3
    assert values[0]["low"] == pytest.approx(5) and values[1]["words"] == "−10.0   b"


def test_the_front_holds_what_nothing_beats_on_both(data):
    row = {"recipe": "", "model": "m", "protocol": "p", "low": None, "high": None}
    rows = [row | {"test": test, "macs": macs} for test, macs in ((60.0, 1.0), (70.0, 3.0), (65.0, 4.0))]
    front, *_ = cost_chart(rows, next(iter(COSTS)), ("p",))["layer"]
    assert [one["cost"] for one in front["data"]["values"]] == [1.0, 3.0]


def test_curves_count_epochs_from_one_in_percent_and_mark_what_is_kept(data):
    about = {"phase": "all", "updates": 1, "rate": 0.1, "loss": 1.0, "validation_loss": 1.0, "accuracy": 0.5}
    history = [Epoch(**about, epoch=0, validation_accuracy=math.nan), Epoch(**about, epoch=1, validation_accuracy=0.4)]
    record = data.runs[0].record
    record = replace(record, history=history, outcome=replace(record.outcome, best_epoch=1))
    values = curves_chart({"one": record}, "accuracy")["data"]["values"]
    row = {"run": "one", "epoch": 1, "split": "validation", "accuracy": None, "phase": "all", "kept": False}
    assert values[0] == row
    assert values[1] == row | {"split": "training", "accuracy": 50.0}
    assert [(one["epoch"], one["split"]) for one in values if one["kept"]] == [(2, "validation")]


def test_a_difference_of_nothing_has_no_sign():
    cells = matrix_chart(["a", "b"], np.array([[0.101, -0.101], [-0.0001, 0.0]]), difference=True)["data"]["values"]
    assert [one["words"] for one in cells] == ["+10", "−10", "0", "0"]
