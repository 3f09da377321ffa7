"""Charts as Vega-Lite specifications: plain data, drawn by the browser, in the report's colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.leaderboard import pareto_front
from study.analysis.scores import Statement
from study.core.record import Record, rounded
from study.report.picture import protocol_colours
from study.report.wording import percent, points

Spec = dict[str, Any]
Rows = Sequence[Mapping[str, Any]]
ORANGE, BLUE = protocol_colours(("oversample", "augment")).values()
GREY = "#8a94a0"
#: Words that are legible on light and on dark pages.
INK = "#737d88"
_TOO_DARK = {"#000000": INK, "#555555": "#808080"}
#: What recipes can be set against: title -> key of a row of the leaderboard.
COSTS = {"Multiply-accumulates, millions": "macs", "One image, ms": "latency_ms", "Training, min": "train_s"}


def ranking_chart(rows: Rows, protocols: tuple[str, ...]) -> Spec:
    """Show test accuracy with its interval and, open and below, validation accuracy of ``leaderboard_rows``.

    All protocols of the study decide on the colours.
    """
    colours = _colours(protocols)
    values = [
        {name: row[name] for name in ("recipe", "validation", "low", "high", "covers")}
        | {"value": row["test"], "colour": colours[row["protocol"]], "fill": colours[row["protocol"]]}
        | {"words": f"{row['test']:.1f}   {row['name']}{'' if row['rank'] else ', not ranked'}"}
        for row in rows
    ]
    tip = [_tip("recipe"), *(_tip(name, ".1f", name) for name in ("validation", "low", "high")), _tip("covers")]
    tip.insert(1, _tip("value", ".1f", "test"))
    spec = _forest(values, "accuracy, %", tip)
    layer = _mark("validation", tip, "stroke", type="point", size=55, yOffset=16, filled=False)
    return spec | {"layer": [*spec["layer"], layer]}


def differences_chart(names: Sequence[str], found: Sequence[Statement], clear: Sequence[bool]) -> Spec:
    """Show differences in points with their intervals, blue above zero and orange below, grey and open if not clear."""
    values: list[Spec] = []
    for name, one, told in zip(names, found, clear, strict=True):
        low, high = (one.low, one.high) if one.low == one.low else (one.value, one.value)
        colour = GREY if not told else BLUE if one.value > 0 else ORANGE
        words = {"name": name, "words": f"{points(one.value)}   {name}"}
        looks = {"colour": colour, "fill": colour if told else "transparent"}
        values.append({"value": 100 * one.value, "low": 100 * low, "high": 100 * high} | words | looks)
    tip = [_tip("name", title="of"), _tip("value", "+.1f", "points"), _tip("low", "+.1f"), _tip("high", "+.1f")]
    return _forest(values, "difference in points", tip)


def cost_chart(rows: Rows, cost: str, protocols: tuple[str, ...]) -> Spec:
    """Show test accuracy against a cost, a title of ``COSTS``, with the front that nothing beats on both.

    The rows are those of ``leaderboard_rows`` that have this cost; all protocols of the study decide on the colours.
    """
    colours, key = _colours(protocols), COSTS[cost]
    values = [
        {name: row[name] for name in ("recipe", "model", "protocol", "test", "low", "high")} | {"cost": row[key]}
        for row in rows
    ]
    costs = [row["cost"] for row in values]
    front = pareto_front([row["test"] for row in values], costs)
    best = [one for one, there in zip(values, front, strict=True) if there]
    log = max(costs) > 4 * min(costs) > 0
    x = _number("cost", title=cost, scale={"type": "log"} if log else {"zero": True})
    y = _number("test", title="test accuracy, %", scale={"zero": False})
    tip = [_tip("recipe"), _tip("test", ".1f"), _tip("low", ".1f"), _tip("high", ".1f"), _tip("cost", ",.3~f", cost)]
    shown = [one for one in protocols if any(row["protocol"] == one for row in rows)]
    scale = {"domain": shown, "range": [colours[one] for one in shown]}
    colour = _name("protocol", title=None, scale=scale, legend={"orient": "top", "columns": 2})
    legend = {"orient": "bottom", "columns": 3, "symbolFillColor": INK, "symbolStrokeColor": INK}
    shape = _name("model", title=None, legend=legend)
    line = _layer({"x": x, "y": y}, type="line", interpolate="step-after", color=GREY, strokeWidth=1)
    layers = [
        line | {"data": {"values": rounded(sorted(best, key=lambda one: (one["cost"], one["test"])))}},
        _layer({"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": colour}, type="rule"),
        _point({"x": x, "y": y, "color": colour, "shape": shape, "tooltip": tip}),
    ]
    return _chart(values, {"layer": layers, "height": 340 + 10 * len(shown)})


def curves_chart(runs: Mapping[str, Record], measure: str, training: bool = True) -> Spec:
    """Show ``loss`` or ``accuracy`` of named runs by epoch on the validation split, a dot where the epoch was kept.

    With ``training`` the training batches are shown too, dashed.
    """
    scale, title = (100, "accuracy, %") if measure == "accuracy" else (1, "loss")
    splits = {"validation": f"validation_{measure}"} | ({"training": measure} if training else {})
    values = [
        {"run": name, "epoch": row.epoch + 1, "split": split, measure: scale * getattr(row, field), "phase": row.phase}
        | {"kept": split == "validation" and record.outcome is not None and row.epoch == record.outcome.best_epoch}
        for name, record in runs.items()
        for row in record.history
        for split, field in splits.items()
    ]
    colours = list(_colours(tuple(runs)).values()) if len(runs) > 1 else [BLUE]
    named = len(runs) > 1 and measure == "accuracy"  # the loss is shown below, in the same colours
    legend = {"orient": "top", "columns": 1, "labelLimit": 330} if named else None
    encoding = {
        "x": _number("epoch", axis={"tickMinStep": 1, "format": "d"}),
        "y": _number(measure, scale={"zero": False}, title=title),
        "color": _name("run", title=None, scale={"domain": list(runs), "range": colours}, legend=legend),
        "tooltip": [_tip("run"), _tip("epoch"), _tip("split"), _tip(measure, ".3f"), _tip("phase")],
    }
    dashes = {"domain": list(splits), "range": [[1, 0], [5, 4]][: len(splits)]}
    dash = _name("split", title=None, scale=dashes, legend={"orient": "top"} if training else None)
    lines = _layer({"strokeDash": dash}, type="line", strokeWidth=2)
    dots = _point({}) | {"transform": [{"filter": "datum.kept"}]}
    return _chart(values, {"encoding": encoding, "layer": [lines, dots], "height": 260 + 28 * len(runs) * named})


def matrix_chart(classes: Sequence[str], matrix: NDArray[Any], difference: bool) -> Spec:
    """Show a confusion matrix of shares, or the difference of two, (classes, classes) in percent; rows are true."""

    def words(share: float) -> str:
        return points(share, 0).removesuffix(".") if difference else percent(share, 0)

    values = [
        {"true": one, "predicted": other, "percent": round(100 * float(share), 1), "words": words(share)}
        for one, row in zip(classes, matrix, strict=True)
        for other, share in zip(classes, row, strict=True)
    ]
    largest = max(1.0, float(np.abs(matrix).max()) * 100)
    # Middle greys of both ramps keep black and white numbers legible on light and on dark pages.
    scale = (
        {"domain": [-largest, 0, largest], "range": ["#D55E00", "#f3f3f3", BLUE]}
        if difference
        else {"domain": [0, 100], "range": ["#f3f6fa", "#08519c"]}
    )
    strong = f"abs(datum.percent) > {0.6 * (largest if difference else 100)}"
    encoding = {
        "x": _name("predicted", sort=list(classes), title="predicted", axis={"labelAngle": -45, "labelOverlap": False}),
        "y": _name("true", sort=list(classes), title="true"),
    }
    colour = _number("percent", scale=scale, legend=None)
    tip = [_tip("true"), _tip("predicted"), _tip("percent")]
    ink = {"condition": {"test": strong, "value": "#ffffff"}, "value": "#1f2328"}
    layers = [
        _layer({"color": colour, "tooltip": tip}, type="rect", stroke="#ffffff", strokeWidth=1),
        _layer({"text": _name("words"), "color": ink}, type="text", fontSize=11),
    ]
    return _chart(values, {"encoding": encoding, "layer": layers, "height": {"step": 38}})


def probabilities_chart(classes: Sequence[str], probabilities: Sequence[float]) -> Spec:
    """Show what a network says about one face, in percent, the most probable class first."""
    values = [{"class": name, "percent": 100 * float(one)} for name, one in zip(classes, probabilities, strict=True)]
    y = _name("class", sort="-x", title=None)
    x = _number("percent", scale={"domain": [0, 100]}, title="probability, %")
    bars = _layer({"x": x, "y": y, "tooltip": [_tip("class"), _tip("percent", ".1f")]}, type="bar", color=BLUE)
    text = {"x": x, "y": y, "text": _number("percent", format=".0f")}
    words = _layer(text, type="text", align="left", dx=4, color=INK)
    return _chart(values, {"layer": [bars, words], "height": {"step": 22}})


def _colours(names: tuple[str, ...]) -> dict[str, str]:
    """Return the report's colours; what only white paper shows is made lighter."""
    return {name: _TOO_DARK.get(colour, colour) for name, colour in protocol_colours(names).items()}


def _forest(values: Rows, title: str, tip: Sequence[Spec]) -> Spec:
    """Show ``value``, ``low`` and ``high`` of rows, words above each: they fit a telephone as well as a desk."""
    rule = _mark("low", tip, "stroke", type="rule", strokeWidth=2.5, yOffset=8)
    rule["encoding"]["x"]["title"] = title
    rule["encoding"]["x2"] = {"field": "high"}
    point = _mark("value", tip, "stroke", "fill", type="point", size=70, yOffset=8, opacity=1)
    text = {"x": {"value": 0}, "y": _ROW, "text": {"field": "words"}}
    looks = {"align": "left", "dx": 2, "yOffset": -12, "fontSize": 13, "fontWeight": 600, "limit": {"expr": "width"}}
    words = _layer(text, type="text", color=INK, **looks)
    zero = _layer({"x": _number("x")}, type="rule", color=GREY) | {"data": {"values": [{"x": 0}]}}
    numbered = [{"place": place} | dict(row) for place, row in enumerate(values)]
    layers = [*([zero] if title.startswith("difference") else []), rule, point, words]
    return _chart(numbered, {"layer": layers, "height": {"step": 48}})


_ROW = {"field": "place", "type": "ordinal", "axis": None}


def _mark(field: str, tip: Sequence[Spec], *channels: str, **looks: Any) -> Spec:
    """Return marks at a number in their rows, whose ``channels`` (stroke, fill) have the row's colours."""
    x = _number(field, scale={"zero": False}, axis={"tickCount": 8})
    sources = {"stroke": "colour", "fill": "fill"}
    colours = {one: _name(sources[one], scale=None) for one in channels}
    return _layer({"x": x, "y": _ROW, "tooltip": list(tip), **colours}, **looks)


def _layer(encoding: Spec, **mark: Any) -> Spec:
    return {"mark": mark, "encoding": encoding}


def _point(encoding: Spec) -> Spec:
    return _layer(encoding, type="point", filled=True, size=80, opacity=1)


def _number(field: str, **more: Any) -> Spec:
    return {"field": field, "type": "quantitative", **more}


def _name(field: str, **more: Any) -> Spec:
    return {"field": field, "type": "nominal", **more}


def _tip(field: str, form: str = "", title: str = "") -> Spec:
    return {"field": field} | ({"format": form} if form else {}) | ({"title": title} if title else {})


def _chart(values: Rows, body: Spec) -> Spec:
    config = {"axis": {"labelFlush": False}}  # labels stay beside their rows
    return {"data": {"values": rounded(list(values))}, "width": "container", "config": config, **body}
