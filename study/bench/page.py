"""The page: Markdown from what was measured, and from further parts that others wrote beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from study.bench.summary import Ratio, best_of, epoch_s, geometric_mean, ratio, share_of_peak
from study.core.files import write_atomically

TITLE = "# Bench"
PEERS = {"torch": "PyTorch, its faster precision", "keras": "Keras as users write it"}
#: Share of the cores below which a measurement was disturbed.
LEAST_BUSY = 0.75
NATIVE = (
    "The processor computes bfloat16 natively: `--precision auto` is mixed_bfloat16, and so are our rates in ratios."
)
NOT_NATIVE = (
    "The processor has no bfloat16 instructions: `--precision auto` is float32, and ratios are those of float32."
)
MEASURES = {
    "train": "training",
    "predict": "prediction",
    "train_augmented": "training, augmented",
    "train_head": "training of the head",
}

Groups = Mapping[str, Mapping[str, Any]]


def build_page(parts: Mapping[str, Any], further: Mapping[str, str]) -> str:
    """Return the page.

    Args:
        parts: What was measured, by name (``study.bench.data_file``).
        further: Sections that were written by hand or by others, by file name.
    """
    groups: dict[tuple[int, str], dict[str, Mapping[str, Any]]] = {}
    for name, part in sorted(parts.items()):
        if name.startswith("models/"):
            groups.setdefault((part["side_px"], part["backend"]), {})[part["model"]] = part
    lines = [
        TITLE,
        "",
        "What `study bench` measured. Contestants work one at a time, each in a process of its own, in turns A B A B.",
        "Rates are medians over the rounds; ratios are medians of the rounds' ratios, with the lowest and the highest.",
        "Input pipeline and augmentation are part of what is measured. Generated from `measured.json`, never edited.",
    ]
    for (side, backend), models in sorted(groups.items()):
        lines += ["", f"## {side} pixels on {backend}", "", *_machine(models.values()), ""]
        lines += [*_rates(models, parts), *_ratios(models), *_augmented(models)]
    lines += [*_peak(parts), *_tricks(parts), *_grid(parts)]
    for name in sorted(further):
        lines += ["", further[name].strip()]
    return "\n".join(lines) + "\n"


def write_page(folder: Path, parts: Mapping[str, Any]) -> Path:
    """Write the page of a folder of reports and return its path.

    Raises:
        WriteError: it cannot be written.
    """
    path = folder / "README.md"
    write_atomically(path, build_page(parts, further_sections(folder)).encode())
    return path


def further_sections(folder: Path) -> dict[str, str]:
    """Return the other Markdown files of the folder: they follow on the page in the order of their names."""
    return {path.name: path.read_text("utf-8") for path in folder.glob("*.md") if path.name != "README.md"}


def _machine(parts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return on what the parts were measured, a line for each different machine or setting."""
    lines = []
    for part in parts:
        made = part["made"]
        shown = {"keras", part["backend"]}
        versions = {name: version for name, version in made["versions"].items() if name in shown}
        versions |= part.get("peer_versions", {})
        libraries = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
        line = f"{made['processor']}, {made['threads']} cores; {libraries}; {made['rounds']} rounds of about "
        line += f"{made['seconds']:g} s{_least(made)}; batch {part['batch']}. "
        native = part["auto_precision"] != "float32"
        line += NATIVE if native else NOT_NATIVE
        if line not in lines:
            lines.append(line)
    return lines


def _least(made: Mapping[str, Any]) -> str:
    return f", {made['least_updates']} updates at least" if "least_updates" in made else ""


def _rates(models: Groups, parts: Mapping[str, Any]) -> list[str]:
    peaks = parts.get("peak", {}).get("rates", {})
    header = [
        "network",
        "contestant",
        "training, images/s",
        "augmented",
        "prediction, images/s",
        "epoch, s",
        "peak MiB",
    ]
    header.append("share of the peak")
    rows = []
    for model, part in models.items():
        macs = max(facts["macs"] for facts in part["contestants"].values())
        for name, facts in sorted(
            part["contestants"].items(), key=lambda one: (not one[0].startswith("study"), one[0])
        ):
            peak = peaks.get(facts["precision"])
            row = [
                model,
                name,
                *(_number(median(facts[measure])) for measure in ("train", "train_augmented", "predict")),
            ]
            row += [_number(epoch_s(facts, part["batch"])), f"{facts['memory_mb']:.0f}"]
            row.append(f"{share_of_peak(median(facts['train']), macs, peak):.0%}" if peak and macs else "")
            rows.append(row)
    note = (
        "An epoch is FER-2013's, its validation split predicted, from these rates. Memory is that of the whole process"
    )
    counts = " and ".join(sorted({f"{part['images']:,}" for part in models.values()}))
    note += f" after training and prediction, with {counts} training images."
    return [*_table(header, rows, left=2), "", note, *_disturbed(models)]


def _disturbed(models: Groups) -> list[str]:
    """Return a warning where training of ours did not get the cores: something else ran on the machine."""
    found = []
    for model, part in models.items():
        facts = part["contestants"].get(f"study {part['auto_precision']}", {})
        busy = median(facts.get("train_busy_cores", [part["made"]["threads"]]))
        if busy < LEAST_BUSY * part["made"]["threads"]:
            found.append(f"{model} {busy:.1f}")
    if not found:
        return []
    cores = next(iter(models.values()))["made"]["threads"]
    return ["", f"The machine was busy: of {cores} cores training got {', '.join(found)}. These numbers say little."]


def _ratios(models: Groups) -> list[str]:
    rows, means = [], {}
    for library, title in PEERS.items():
        for measure in ("train", "predict"):
            found = {model: one for model, part in models.items() if (one := _against(part, library, measure))}
            if not found:
                continue
            cells = [f"{title}, {MEASURES[measure]}", *(_shown(found.get(model)) for model in models)]
            rows.append([*cells, f"{geometric_mean([one.middle for one in found.values()]):.2f}"])
            means[library, measure] = found
    if not rows:
        return []
    lines = ["", *_table(["times as fast as", *models, "geometric mean"], rows), ""]
    sizes = {model: {facts["parameters"] for facts in part["contestants"].values()} for model, part in models.items()}
    wrong = [model for model, counts in sizes.items() if len(counts) > 1]
    said = f"differ on {', '.join(wrong)}" if wrong else "are equal"
    return [
        *lines,
        f"Our precision is the one that `--precision auto` chooses. Parameter counts of all contestants {said}.",
    ]


def _augmented(models: Groups) -> list[str]:
    lost = {}
    for model, part in models.items():
        facts = part["contestants"].get(f"study {part['auto_precision']}")
        if facts:
            lost[model] = ratio(facts["train_augmented"], facts["train"])
    if not lost:
        return []
    shown = ", ".join(f"{model} {one.middle:.0%} ({one.low:.0%} to {one.high:.0%})" for model, one in lost.items())
    return ["", f"Augmented training, of the speed of unaugmented: {shown}."]


def _against(part: Mapping[str, Any], library: str, measure: str) -> Ratio | None:
    contestants = part["contestants"]
    ours, theirs = contestants.get(f"study {part['auto_precision']}"), best_of(contestants, library, measure)
    return ratio(ours[measure], contestants[theirs][measure]) if ours and theirs else None


def _peak(parts: Mapping[str, Any]) -> list[str]:
    part = parts.get("peak")
    if not part:
        return []
    shown = ", ".join(f"{median(rates) / 1e9:.0f} GFLOP/s in {name}" for name, rates in part["rates"].items())
    what = f"A 3x3 convolution of 64 images, 24x24 pixels, 64 channels to 128: {shown}."
    return ["", "## Measured peak", "", f"{what} One form stands for all: others can be faster, or another library's."]


def _tricks(parts: Mapping[str, Any]) -> list[str]:
    rows = [
        [one["trick"], parts[name]["about"][one["trick"]], one["model"], MEASURES[one["measure"]]]
        + [_shown(ratio(one["with"], one["without"]))]
        for name in sorted(parts)
        if name.startswith("tricks/")
        for one in parts[name]["measured"]
    ]
    if not rows:
        return []
    header = ["trick", "what it is", "network", "measured on", "times as fast with it"]
    return ["", "## What it is worth", "", *_table(header, sorted(rows), left=4)]


def _grid(parts: Mapping[str, Any]) -> list[str]:
    part = parts.get("grid")
    if not part:
        return []
    times = ratio(part["one_by_one_s"], part["auto_s"])
    return [
        "",
        "## A grid of small runs",
        "",
        f"{part['runs']} runs ({part['what']}), one after another on all cores: "
        f"{_number(median(part['one_by_one_s']))} s; "
        f"with `--jobs auto`: {_number(median(part['auto_s']))} s, {_shown(times)} times as fast. {part['choice']}",
    ]


def _shown(found: Ratio | None) -> str:
    return f"{found.middle:.2f} ({found.low:.2f} to {found.high:.2f})" if found else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    marks = ["---"] * left + ["--:"] * (len(header) - left)
    return [f"| {' | '.join(cells)} |" for cells in (header, marks, *rows)]
