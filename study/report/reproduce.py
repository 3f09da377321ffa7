"""Reproduce: the commands that train what a study holds and check its report."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from study.analysis.pairs import MARGIN
from study.core.record import Record
from study.core.spec import RunProtocol
from study.report.collect import StudyData


def commands(data: StudyData) -> list[str]:
    """Return ``study run`` for every block of runs that were made together, every import, then the report."""
    margin = f"{100 * data.found.margin:g}" if data.found else f"{100 * MARGIN:g}"
    report = ["study", "report", data.study, "--margin", margin]
    source = "synthetic" if data.card.drawn else "PATH"
    runs = [_run(data.study, source, block) for block in blocks(data.trained)]
    runs += [_import(data.study, record) for record in data.records if record.imported]
    return [shlex.join(words) for words in (*runs, report, ["study", "report", data.name, "--check"])]


def blocks(records: Iterable[Record]) -> list[list[Record]]:
    """Split records into blocks in which every model was run under every protocol with every seed.

    Recipes with equal seeds and settings are joined: first the protocols of a model, then models with equal protocols.
    """
    recipes: dict[tuple[object, ...], list[Record]] = {}
    for record in records:
        spec = record.spec
        flags = (spec.side_px, spec.protocol.train_share, "" if _fixed(record) else spec.weights.sha256)
        recipes.setdefault((*spec.recipe, *flags), []).append(record)
    of_model: dict[tuple[object, ...], list[Record]] = {}
    for (model, *_), runs in recipes.items():
        of_model.setdefault((model, _seeds(runs), tuple(_settings(runs))), []).extend(runs)
    joined: dict[tuple[object, ...], list[Record]] = {}
    for (_, seeds, settings), runs in of_model.items():
        joined.setdefault((seeds, settings, _names(runs, "protocol")), []).extend(runs)
    return list(joined.values())


def _run(study: str, source: str, block: Sequence[Record]) -> list[str]:
    seeds = ",".join(map(str, _seeds(block))) + ("," if len(_seeds(block)) == 1 else "")  # "3" would be a count
    return [
        *("study", "run", "--data", source, "--study", study),
        *("--models", ",".join(_names(block, "model")), "--protocols", ",".join(_names(block, "protocol"))),
        *("--seeds", seeds),
        *_settings(block),
    ]


def _import(study: str, record: Record) -> list[str]:
    seed = ["--seed", str(record.spec.seed)] if record.spec.seed else []
    return ["study", "import", "predictions.csv", "--name", record.spec.model.name, "--study", study, *seed]


def _settings(records: Sequence[Record]) -> list[str]:
    """Return the flags whose value is one and the same in all records."""
    specs = [record.spec for record in records]
    sources: set[object] = {spec.weights.source for spec in specs if spec.model.family == "transfer"}
    sources = {"FILE" if source == "file" else source for source in sources if not all(map(_fixed, records))}
    values: dict[str, set[object]] = {
        "--budget": {spec.budget for spec in specs},
        "--epochs": {epochs for spec in specs for epochs in _epochs(spec.protocol)},
        "--side": {spec.side_px for spec in specs},
        "--train-share": {spec.protocol.train_share for spec in specs if spec.protocol.train_share < 1},
        "--precision": {spec.precision for spec in specs},
        "--weights": sources if sources <= {"none", "imagenet", "FILE"} else set(),
    }
    return [word for flag, found in values.items() if len(found) == 1 for word in (flag, str(*found))]


def _epochs(protocol: RunProtocol) -> set[int]:
    """Return the epochs of every phase, or of all together where the protocol's ``--epochs`` means that."""
    lengths = [phase.epochs for phase in protocol.phases]
    return {sum(lengths)} if protocol.epochs_in_all else set(lengths)


def _fixed(record: Record) -> bool:
    """Tell whether the protocol itself says what its runs start from."""
    return bool(record.spec.protocol.start)


def _seeds(records: Sequence[Record]) -> tuple[int, ...]:
    return tuple(sorted({record.spec.seed for record in records}))


def _names(records: Sequence[Record], what: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(getattr(record.spec, what).name for record in records))
