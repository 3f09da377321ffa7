"""Charts as Vega-Lite specifications: plain data, drawn by the browser in its own colours for light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.scores import RECIPE, Statement
from study.core.record import Epoch, rounded
from study.report.wording import percent, points

Spec = dict[str, Any]
#: Okabe and Ito's colours, which stay apart for colour-blind readers.
BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
_ROW_PX = 26
_LABEL_PX = 220


def ranking_chart(rows: Sequence[Mapping[str, Any]], intervals: Mapping[str, Statement]) -> Spec:
    """Show validation and test accuracy of recipes, in the order given.

    Args:
        rows: Those of ``study.web.rows``.
        intervals: Test accuracy by recipe; those without one get none.
    """
    values = []
    for row in rows:
        found = intervals.get(row["recipe"])
        ends = (None, None) if found is None or found.low != found.low else (100 * found.low, 100 * found.high)
        about = "" if found is None else "recipe" if found.question == RECIPE else "these networks"
        words = {"low": ends[0], "high": ends[1], "interval about": about}
        values.append({name: row[name] for name in ("recipe", "protocol", "validation", "test")} | words)
    order = [row["recipe"] for row in rows]
    y = {"field": "recipe", "type": "nominal", "sort": order, "title": None, "axis": {"labelLimit": _LABEL_PX}}
    tip = [
        {"field": "recipe"},
        *({"field": name, "format": ".1f"} for name in ("validation", "test", "low", "high")),
        {"field": "interval about"},
    ]
    layers = [
        _layer({"type": "rule", "strokeWidth": 2, "color": BLUE}, "low", y, tip, x2="high"),
        _layer({"type": "point", "filled": True, "size": 70, "color": BLUE, "opacity": 1}, "test", y, tip),
        _layer({"type": "point", "filled": False, "size": 60, "color": ORANGE, "opacity": 1}, "validation", y, tip),
    ]
    return _chart(values, {"layer": layers, "height": {"step": _ROW_PX}})


def curves_chart(history: Sequence[Epoch], measure: str, kept: int | None) -> Spec:
    """Show ``loss`` or ``accuracy`` by epoch on training batches and the validation split; a rule marks the kept."""
    scale = 100 if measure == "accuracy" else 1
    values = [
        {"epoch": row.epoch + 1, "split": split, measure: scale * getattr(row, name), "phase": row.phase}
        for row in history
        for split, name in (("training", measure), ("validation", f"validation_{measure}"))
    ]
    colours = {"domain": ["training", "validation"], "range": [ORANGE, BLUE]}
    lines = {
        "mark": {"type": "line", "point": len(history) < 40, "strokeWidth": 2},
        "encoding": {
            "x": {"field": "epoch", "type": "quantitative", "axis": {"tickMinStep": 1, "format": "d"}},
            "y": {
                "field": measure,
                "type": "quantitative",
                "scale": {"zero": False},
                "title": "accuracy, %" if measure == "accuracy" else measure,
            },
            "color": {
                "field": "split",
                "type": "nominal",
                "scale": colours,
                "title": None,
                "legend": {"orient": "top"},
            },
            "tooltip": [
                {"field": "epoch"},
                {"field": "split"},
                {"field": measure, "format": ".3f"},
                {"field": "phase"},
            ],
        },
    }
    mark = {
        "data": {"values": [] if kept is None else [{"epoch": kept + 1}]},
        "mark": {"type": "rule", "strokeDash": [4, 4], "color": GREEN, "strokeWidth": 2},
        "encoding": {
            "x": {"field": "epoch", "type": "quantitative"},
            "tooltip": {"value": "epoch whose weights are kept"},
        },
    }
    return _chart(values, {"layer": [lines, mark], "height": 260})


def class_differences_chart(classes: Sequence[str], found: Sequence[Statement], names: tuple[str, str]) -> Spec:
    """Show differences of each class in points with their intervals; full colour where the interval leaves zero out."""
    values = []
    for name, one in zip(classes, found, strict=True):
        apart = one.low > 0 or one.high < 0
        ahead = "not told apart" if not apart else names[0] if one.value > 0 else names[1]
        values.append({"class": name, "difference": 100 * one.value, "ahead": ahead} | _ends(one))
    y = {"field": "class", "type": "nominal", "sort": list(classes), "title": None}
    tip = [{"field": "class"}, *({"field": name, "format": "+.1f"} for name in ("difference", "low", "high"))]
    tip.append({"field": "ahead"})
    domain = [names[0], names[1], "not told apart"]
    colour = {
        "field": "ahead",
        "type": "nominal",
        "scale": {"domain": domain, "range": [BLUE, ORANGE, "#8a94a0"]},
        "title": None,
        "legend": {"orient": "top", "direction": "horizontal"},
    }
    zero = {
        "data": {"values": [{"x": 0}]},
        "mark": {"type": "rule", "color": "#8a94a0"},
        "encoding": {"x": {"field": "x", "type": "quantitative"}},
    }
    bars = _layer({"type": "rule", "strokeWidth": 3}, "low", y, tip, x2="high", colour=colour)
    dots = _layer({"type": "point", "filled": True, "size": 90, "opacity": 1}, "difference", y, tip, colour=colour)
    for layer in (bars, dots):
        layer["encoding"]["x"] |= {"title": "difference in points", "scale": {"zero": True}}
    return _chart(values, {"layer": [zero, bars, dots], "height": {"step": 30}})


def matrix_chart(classes: Sequence[str], matrix: NDArray[Any], difference: bool) -> Spec:
    """Show a confusion matrix of shares, or the difference of two, (classes, classes) in percent; rows are true."""
    values = [
        {
            "true": one,
            "predicted": other,
            "percent": round(100 * float(matrix[row, column]), 1),
            "words": points(matrix[row, column], 0).removesuffix(".")
            if difference
            else percent(matrix[row, column], 0),
        }
        for row, one in enumerate(classes)
        for column, other in enumerate(classes)
    ]
    largest = max(1.0, float(np.abs(matrix).max()) * 100)
    # Middle greys of both ramps keep black and white numbers legible on light and on dark pages.
    scale = (
        {"domain": [-largest, 0, largest], "range": ["#d55e00", "#f3f3f3", "#0072b2"]}
        if difference
        else {"domain": [0, 100], "range": ["#f3f6fa", "#08519c"]}
    )
    strong = f"abs(datum.percent) > {0.6 * (largest if difference else 100)}"
    axes = {"x": "predicted", "y": "true"}
    encoding: dict[str, Spec] = {
        axis: {"field": field, "type": "nominal", "sort": list(classes), "title": field} for axis, field in axes.items()
    }
    encoding["x"]["axis"] = {"labelAngle": -45}
    cells = {
        "mark": {"type": "rect", "stroke": "#ffffff", "strokeWidth": 1},
        "encoding": {
            "color": {"field": "percent", "type": "quantitative", "scale": scale, "legend": None},
            "tooltip": [{"field": "true"}, {"field": "predicted"}, {"field": "percent"}],
        },
    }
    numbers = {
        "mark": {"type": "text", "fontSize": 11},
        "encoding": {
            "text": {"field": "words", "type": "nominal"},
            "color": {"condition": {"test": strong, "value": "#ffffff"}, "value": "#1f2328"},
        },
    }
    return _chart(values, {"encoding": encoding, "layer": [cells, numbers], "height": {"step": 38}})


def probabilities_chart(classes: Sequence[str], probabilities: Sequence[float]) -> Spec:
    """Show what a network says about one face, in percent, the most probable class first."""
    values = [{"class": name, "percent": 100 * float(one)} for name, one in zip(classes, probabilities, strict=True)]
    y = {"field": "class", "type": "nominal", "sort": "-x", "title": None}
    x = {"field": "percent", "type": "quantitative", "scale": {"domain": [0, 100]}, "title": "probability, %"}
    tip = [{"field": "class"}, {"field": "percent", "format": ".1f"}]
    bars = {"mark": {"type": "bar", "color": BLUE}, "encoding": {"x": x, "y": y, "tooltip": tip}}
    words = {
        "mark": {"type": "text", "align": "left", "dx": 4, "color": "#77818c"},
        "encoding": {"x": x, "y": y, "text": {"field": "percent", "type": "quantitative", "format": ".0f"}},
    }
    return _chart(values, {"layer": [bars, words], "height": {"step": 22}})


def _layer(
    mark: Spec, field: str, y: Spec, tip: Sequence[Spec], x2: str = "", colour: Spec | None = None
) -> dict[str, Any]:
    x = {
        "field": field,
        "type": "quantitative",
        "title": "accuracy, %",
        "scale": {"zero": False},
        "axis": {"tickCount": 10},
    }
    encoding = {"x": x, "y": y, "tooltip": list(tip)} | ({"x2": {"field": x2}} if x2 else {})
    return {"mark": mark, "encoding": encoding | ({"color": colour} if colour else {})}


def _ends(one: Statement) -> dict[str, float]:
    """Return an interval in points; the value itself twice where the data support none."""
    low, high = (one.value, one.value) if one.low != one.low else (one.low, one.high)
    return {"low": 100 * low, "high": 100 * high}


def _chart(values: Sequence[Mapping[str, Any]], body: Spec) -> Spec:
    config = {"axis": {"labelFlush": False}}  # labels stay beside their rows
    return {"data": {"values": rounded(list(values))}, "width": "container", "config": config, **body}
