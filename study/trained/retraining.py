"""The command that trains a stored run again, for its weights."""

from __future__ import annotations

import shlex
from pathlib import Path

from study.core.record import DatasetCard, Record
from study.core.store import Store


def retrain_command(store: Store, record: Record, data: str | None = None) -> str:
    """Return the command that trains a run again as its stored spec says.

    Args:
        store: The study's store.
        record: The run.
        data: Where its dataset is; None for the built-in faces' own settings, or ``PATH`` in capitals, since records
            carry no paths.
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
