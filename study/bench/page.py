"""The page: Markdown from what was measured, and from further parts that others wrote beside it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

from study.core.files import write_atomically
from study.report.markdown import fill

TEMPLATE = Path(__file__).parent / "templates" / "page.md.j2"
PEERS = {"torch": "PyTorch, its faster precision", "keras": "Keras as users write it"}
#: Share of the cores below which a measurement was disturbed.
LEAST_BUSY = 0.75
MEASURES = {
    "train": "training",
    "predict": "prediction",
    "train_augmented": "training, augmented",
    "train_head": "training of the head",
}
#: FER-2013's splits: what an epoch trains and what is predicted after it.
EPOCH_IMAGES, VALIDATION_IMAGES = 28709, 3589
#: Forward and backward passes of a training step, in forward passes.
PASSES = 3

Groups = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Ratio:
    """How many times faster one contestant was than another: median, lowest and highest of the same rounds."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.low:.2f} to {self.high:.2f})"


def build_page(parts: Mapping[str, Any], further: Mapping[str, str]) -> str:
    """Return the page: what was measured, by part, then sections that were written by hand, by file name."""
    groups: dict[tuple[int, str], dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for name, part in sorted(parts.items()):
        if name.startswith("models/"):
            groups[part["side_px"], part["backend"]][part["model"]] = part
    peaks = parts.get("peak", {}).get("rates", {})
    return fill(
        TEMPLATE.read_text("utf-8"),
        groups=[
            {"side": side, "backend": backend, **_group(models, peaks)}
            for (side, backend), models in sorted(groups.items())
        ],
        peak=", ".join(f"{median(rates) / 1e9:.0f} GFLOP/s in {name}" for name, rates in peaks.items()),
        tricks=_tricks(parts),
        grid=_grid(parts["grid"]) if "grid" in parts else None,
        further=[further[name].strip() for name in sorted(further)],
    )


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


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Compare rates round by round, so that a slower moment of the machine is a slower moment of both."""
    found = [one / other for one, other in zip(ours, theirs, strict=True)]
    return Ratio(median(found), min(found), max(found))


def best_of(contestants: Mapping[str, Mapping[str, Any]], library: str, measure: str) -> str | None:
    """Return the name of a library's fastest contestant, by the median; None where it did not take part."""
    taking = [name for name in contestants if name.startswith(f"{library} ")]
    return max(taking, key=lambda name: median(contestants[name][measure]), default=None)


def epoch_s(facts: Mapping[str, Any], batch: int) -> float:
    """Return the seconds of an epoch on FER-2013, its validation split predicted, from the median rates."""
    trained = math.ceil(EPOCH_IMAGES / batch) * batch
    return trained / median(facts["train"]) + VALIDATION_IMAGES / median(facts["predict"])


def share_of_peak(rate: float, macs: int, peak: Sequence[float]) -> float:
    """Return the share of the measured peak that training at a rate (images/s) uses: forward and backward passes."""
    return PASSES * 2 * macs * rate / median(peak)


def _group(models: Groups, peaks: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return what the page says of the models that were measured with one side and backend."""
    ours = {model: part["contestants"].get(f"study {part['auto_precision']}") for model, part in models.items()}
    cores = {model: part["made"]["threads"] for model, part in models.items()}
    busy = {model: median((ours[model] or {}).get("train_busy_cores", [count])) for model, count in cores.items()}
    augmented = {model: ratio(facts["train_augmented"], facts["train"]) for model, facts in ours.items() if facts}
    lost = [f"{model} {one.middle:.0%} ({one.low:.0%} to {one.high:.0%})" for model, one in augmented.items()]
    sizes = {model: {facts["parameters"] for facts in part["contestants"].values()} for model, part in models.items()}
    return {
        "machine": _machine(models.values()),
        "rates": _rates(models, peaks),
        "images": " and ".join(sorted({f"{part['images']:,}" for part in models.values()})),
        "cores": next(iter(cores.values())),
        # Something else ran on the machine where training of ours did not get the cores.
        "busy": ", ".join(f"{name} {got:.1f}" for name, got in busy.items() if got < LEAST_BUSY * cores[name]),
        "ratios": _ratios(models),
        "unequal": ", ".join(model for model, counts in sizes.items() if len(counts) > 1),
        "augmented": ", ".join(lost),
    }


def _machine(parts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return on what the parts were measured, a line for each different machine or setting."""
    lines = []
    for part in parts:
        made = part["made"]
        versions = {name: made["versions"][name] for name in ("keras", part["backend"]) if name in made["versions"]}
        versions |= part.get("peer_versions", {})
        libraries = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
        least = f", {made['least_updates']} updates at least" if "least_updates" in made else ""
        lines.append(
            f"{made['processor']}, {made['threads']} cores; {libraries}; {made['rounds']} rounds of about "
            f"{made['seconds']:g} s{least}; batch {part['batch']}. Ratios are those of our {part['auto_precision']}."
        )
    return list(dict.fromkeys(lines))


def _rates(models: Groups, peaks: Mapping[str, Sequence[float]]) -> str:
    header = "network|contestant|training, images/s|augmented|prediction, images/s|epoch, s|peak MiB|share of the peak"
    rows = []
    for model, part in models.items():
        macs = max(facts["macs"] for facts in part["contestants"].values())
        ours_first = sorted(part["contestants"].items(), key=lambda one: (not one[0].startswith("study"), one[0]))
        for name, facts in ours_first:
            peak = peaks.get(facts["precision"])
            rates = [_number(median(facts[measure])) for measure in ("train", "train_augmented", "predict")]
            share = f"{share_of_peak(median(facts['train']), macs, peak):.0%}" if peak and macs else ""
            epoch = _number(epoch_s(facts, part["batch"]))
            rows.append([model, name, *rates, epoch, f"{facts['memory_mb']:.0f}", share])
    return _table(header.split("|"), rows, left=2)


def _ratios(models: Groups) -> str:
    rows = []
    for library, title in PEERS.items():
        for measure in ("train", "predict"):
            found = {model: one for model, part in models.items() if (one := _against(part, library, measure))}
            if found:
                cells = [str(found.get(model, "")) for model in models]
                mean = geometric_mean([one.middle for one in found.values()])
                rows.append([f"{title}, {MEASURES[measure]}", *cells, f"{mean:.2f}"])
    return _table(["times as fast as", *models, "geometric mean"], rows)


def _against(part: Mapping[str, Any], library: str, measure: str) -> Ratio | None:
    contestants = part["contestants"]
    ours, theirs = contestants.get(f"study {part['auto_precision']}"), best_of(contestants, library, measure)
    return ratio(ours[measure], contestants[theirs][measure]) if ours and theirs else None


def _tricks(parts: Mapping[str, Any]) -> str:
    rows = []
    for part in (parts[name] for name in sorted(parts) if name.startswith("tricks/")):
        for one in part["measured"]:
            worth = str(ratio(one["with"], one["without"]))
            rows.append([one["trick"], part["about"][one["trick"]], one["model"], MEASURES[one["measure"]], worth])
    return _table(["trick", "what it is", "network", "measured on", "times as fast with it"], sorted(rows), left=4)


def _grid(part: Mapping[str, Any]) -> dict[str, Any]:
    one_by_one, auto = part["one_by_one_s"], part["auto_s"]
    times = {"one_by_one": _number(median(one_by_one)), "auto": _number(median(auto))}
    return {**part, **times, "ratio": ratio(one_by_one, auto)}


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a Markdown table, the first columns aligned left; empty without rows."""
    marks = ["---"] * left + ["--:"] * (len(header) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, marks, *rows)) if rows else ""
