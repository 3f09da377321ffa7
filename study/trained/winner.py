"""Which run is used: the best of a study on its validation split, or the one named; and how to train it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from study.analysis.recipes import is_leaky
from study.analysis.runs import accuracy, log_loss
from study.core.errors import UsageError, WeightsError
from study.core.record import DatasetCard, Record
from study.core.store import Store, find_study, newest_first, studies
from study.trained.formats import find_exports

#: Keys that a message lists at most.
MOST_LISTED = 12


def open_study(results: str | Path, study: str | None = None) -> Store:
    """Return the store of the study to use.

    Without a name: the newest study made here that holds a usable model, weights or exports; else a published one that
    does (they stay outside git, so that a fresh checkout has none); else the newest that has finished runs.

    Raises:
        UsageError: an unknown study, or none with a finished run.
    """
    return find_study(results, study) if study is not None else _best_of(results, _all_done(results))


def open_run(results: str | Path, study: str | None = None, key: str | None = None) -> tuple[Store, Record]:
    """Return the store and the record of the run to use; a key finds its study by itself where only one has it.

    Raises:
        UsageError: as ``open_study`` and ``choose_run``.
    """
    if study is not None or key is None:
        store = open_study(results, study)
    else:
        found = _all_done(results)
        having = {name: done for name, done in found.items() if fitting(done, key)}
        if not having and sum(map(bool, found.values())) > 1:
            raise UsageError(
                f"--run {key!r} fits no finished run in {results}/ (studies {', '.join(found)}): "
                "with --study NAME as well, its runs are listed."
            )
        store = _best_of(results, having or found)
    return store, choose_run(store, key)


def choose_run(store: Store, key: str | None = None) -> Record:
    """Return a done run of a study, without arrays: by its key, or a part of one that fits a single run.

    Without a key the run with the best validation accuracy, then the lowest validation loss, then the first by model,
    protocol and seed. Leaky runs, runs on a split of their own and runs that kept no weights are only used when named;
    imported predictions never are.

    Raises:
        UsageError: no run fits, or several do.
        StoreError: a record that cannot be read.
    """
    done = finished_runs(store)
    if key is not None:
        found = fitting(done, key)
        if len(found) == 1:
            return found[0]
        fits = f"fits {len(found)} runs" if found else "fits no finished run"
        raise UsageError(f"--run {key!r} {fits} of study {store.study}: {_listed(found or done) or 'it has none'}.")
    fit = [record for record in done if record.weights_file and record.on_own_test]
    ranked = [record for record in fit if not is_leaky(record)]
    if not ranked:
        raise UsageError(
            f"study {store.study} has no finished run to use ({len(done)} done, leaky ones included): "
            "train one with `study run`, or name one with --run KEY."
        )
    return min(ranked, key=lambda record: _rank(store, record)) if len(ranked) > 1 else ranked[0]


def weights_of(store: Store, record: Record) -> Path:
    """Return the weights file of a run.

    Raises:
        WeightsError: it is missing; the message has the command that trains the run again.
        DamagedError: it is not what the run left.
    """
    path = store.weights_path(record.spec)
    if not path.is_file():
        raise WeightsError(
            f"the weights of {record.key} are not here (they stay outside git): train this run again with "
            f"`{retrain_command(store, record)}`."
        )
    store.check_weights(record)
    return path


def _all_done(results: str | Path) -> dict[str, list[Record]]:
    """Return the finished runs of every study, the newest made here first and published ones last."""
    names = dict.fromkeys([*newest_first(results), *studies(results)])
    return {name: finished_runs(Store(results, name)) for name in names}


def _best_of(results: str | Path, found: Mapping[str, Sequence[Record]]) -> Store:
    """Return the first study with a usable model, else the first with a finished run."""
    finished = [name for name, done in found.items() if done]
    usable = (name for name in finished if holds_a_model(Store(results, name), found[name]))
    if not finished:
        raise UsageError(
            f"no study in {results}/ has a finished run: train one with `make study`, or give --results FOLDER."
        )
    return Store(results, next(usable, finished[0]))


def fitting(done: Sequence[Record], key: str) -> list[Record]:
    """Return the runs whose key is, else starts with, else contains ``key``."""
    for fits in (str.__eq__, str.startswith, str.__contains__):
        if found := [record for record in done if fits(record.key, key)]:
            return found
    return []


def finished_runs(store: Store) -> list[Record]:
    """Return the finished runs that left a network: imported predictions have none."""
    return [record for record in store.records() if record.status == "done" and not record.imported]


def _rank(store: Store, record: Record) -> tuple[float, float]:
    arrays = store.load_arrays(record).arrays
    labels, probabilities = arrays["validation_labels"], arrays["validation_probabilities"]
    return (-accuracy(labels, probabilities), log_loss(labels, probabilities))


def holds_a_model(store: Store, done: Sequence[Record]) -> bool:
    """Tell whether weights or exports of any of these runs are here."""
    return any(store.weights_path(record.spec).is_file() or find_exports(store, record) for record in done)


def _listed(records: Sequence[Record]) -> str:
    more = f" and {len(records) - MOST_LISTED} more" if len(records) > MOST_LISTED else ""
    return ", ".join(record.key for record in records[:MOST_LISTED]) + more


def retrain_command(store: Store, record: Record, data: str | None = None) -> str:
    """Return the command that trains a run again as its stored spec says.

    Without ``data`` it names the built-in faces' own settings, or ``PATH`` in capitals, since records carry no paths.
    """
    words = ["study", "retrain", "--run", record.key, "--data", data or data_words(record.dataset)]
    words += ["--study", store.study]
    if store.results != Path("results"):
        words += ["--results", str(store.results)]
    if record.spec.weights.source == "file":
        words += ["--weights", "FILE"]
    return shlex.join(words)


def data_words(card: DatasetCard) -> str:
    """Return what ``--data`` takes to give the dataset of a card: exact for the built-in faces, else ``PATH``."""
    if not card.drawn:
        return "PATH"
    settings = ",".join(f"{name}={value}" for name, value in card.settings.items())
    return f"synthetic:{settings}" if settings else "synthetic"
