"""Charts are plain data: valid Vega-Lite that shows the numbers it was given."""

import json
import math

import altair
import numpy as np
import pytest

from study.analysis.scores import NETWORK, Statement
from study.core.record import Epoch
from study.web.charts import class_differences_chart, curves_chart, matrix_chart, probabilities_chart, ranking_chart
from study.web.rows import leaderboard_rows


def statement(value, low, high):
    return Statement(NETWORK, value, low, high, 0.5, ())


def charts(overview):
    rows = leaderboard_rows(overview)
    nan = float("nan")
    history = overview.comparable[0].record.history
    yield ranking_chart(rows, {str(one.recipe): overview.interval(one.recipe) for one in overview.standings[:2]})
    yield curves_chart(history, "loss", 3)
    yield curves_chart(history, "accuracy", None)
    yield class_differences_chart(["a", "b"], [statement(0.1, 0.05, 0.2), statement(0, nan, nan)], ("x", "y"))
    yield matrix_chart(["a", "b"], np.array([[0.5, 0.5], [0, 1]]), difference=False)
    yield matrix_chart(["a", "b"], np.array([[0.1, -0.1], [0, 0]]), difference=True)
    yield probabilities_chart(["a", "b"], [0.2, 0.8])


def test_every_chart_is_valid_and_json(overview):
    for chart in charts(overview):
        json.loads(json.dumps(chart, allow_nan=False))
        altair.Chart.from_dict(chart)


def test_only_differences_whose_interval_leaves_zero_out_are_called_ahead():
    found = [statement(0.1, 0.05, 0.2), statement(-0.1, -0.2, -0.01), statement(0.1, -0.1, 0.3)]
    values = class_differences_chart(["a", "b", "c"], found, ("first", "second"))["data"]["values"]
    assert [one["ahead"] for one in values] == ["first", "second", "not told apart"]
    assert values[0]["low"] == pytest.approx(5)


def test_curves_count_epochs_from_one_in_percent():
    about = {"phase": "all", "epoch": 0, "updates": 1, "rate": 0.1, "loss": 1.0, "validation_loss": 1.0}
    history = [Epoch(**about, accuracy=0.5, validation_accuracy=math.nan)]
    values = curves_chart(history, "accuracy", 0)["data"]["values"]
    assert values[0] == {"epoch": 1, "split": "training", "accuracy": 50.0, "phase": "all"}
    assert values[1]["accuracy"] is None


def test_a_difference_of_nothing_has_no_sign():
    cells = matrix_chart(["a", "b"], np.array([[0.101, -0.101], [-0.0001, 0.0]]), difference=True)["data"]["values"]
    assert [one["words"] for one in cells] == ["+10", "−10", "0", "0"]
