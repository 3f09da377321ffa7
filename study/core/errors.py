"""Errors that a person can act on: each is one line with the rule, what was received and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

#: Characters of a value that a message shows.
_SHOWN = 100


class StudyError(Exception):
    """Base of every error that the command line shows as one line, with exit code 2."""


class UsageError(StudyError):
    """A flag, a name or a file of settings that cannot be used as given."""


class DataError(StudyError):
    """A dataset that cannot be used: says what was expected, what was found and where."""


class StoreError(StudyError):
    """A results folder or a record that cannot be read, written or trusted."""


class DamagedError(StoreError):
    """Something stored that is not as it was written. ``study run`` sets it aside and makes it again."""


class WriteError(StoreError):
    """A place that takes no more files: a full disk, a folder without permission. What is stored there stays whole."""


class WeightsError(StudyError):
    """Weights that are missing, damaged or made for another architecture."""


class TrainingError(StudyError):
    """Training cannot go on, for example because the loss became NaN or infinite."""


def shown(value: Any) -> str:
    """Return a value as messages show it, however long it is.

    >>> shown([1, "a"]), len(shown("x" * 1000))
    ("[1, 'a']", 103)
    """
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def unknown_name(kind: str, name: str, possible: Iterable[str]) -> UsageError:
    """Build the error for a name that is not registered, with close names first.

    >>> str(unknown_name("model", "cnn33", ["cnn2", "cnn3", "vgg16"]))
    "unknown model 'cnn33'. Did you mean cnn3 or cnn2?"
    """
    names = sorted(possible)
    close = difflib.get_close_matches(name[:_SHOWN], names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"Possible: {', '.join(names) or 'none'}."
    return UsageError(f"unknown {kind} {shown(name)}. {hint}")
