"""Settings in TOML files: where they lie, and reading them so that a slip is named instead of ignored."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.core.errors import UsageError, unknown_name

#: Larger files of settings are none.
MOST_BYTES = 1 << 16


def experiments_folder() -> Path:
    """Return the folder of grids and budgets: the working folder's, else the wheel's, else the checkout's."""
    package = Path(__file__).parents[1]
    here, in_wheel, in_checkout = Path("experiments"), package / "experiments", package.parent / "experiments"
    return next((folder for folder in (here, in_wheel) if (folder / "budgets.toml").is_file()), in_checkout)


def shipped(path: str | Path) -> Path:
    """Return a path; ``experiments/NAME``, where there is none here, means the one that comes with the package."""
    path = Path(path)
    ours = experiments_folder() / path.name
    return ours if path.parent == Path("experiments") and not path.exists() and ours.exists() else path


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """Return the text of a file that a person has written.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such text: too long, or in another encoding.
    """
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES >> 10} KiB")
    return data.decode(encoding)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        UsageError: it is missing, unreadable or no TOML.
    """
    try:
        return tomllib.loads(read_text(path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}): give an existing TOML file.") from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits are no TOMLDecodeError
        raise UsageError(f"{path} is not TOML ({error}): mend the file.") from error


def check_table(where: str, table: Any, kinds: Mapping[str, tuple[type, ...]]) -> dict[str, Any]:
    """Return the table if it holds known keys of the right kinds only.

    Args:
        where: File and table, for messages.
        table: What was read.
        kinds: Allowed keys with the Python types that each may have; ``bool`` is never taken for a number.

    Raises:
        UsageError: no table, an unknown key (close ones are suggested) or a value of another kind.
    """
    if not isinstance(table, dict):
        raise UsageError(f"{where} must be a table of settings, got {table!r}.")
    for key, value in table.items():
        if key not in kinds:
            raise UsageError(f"{where}: {unknown_name('setting', key, kinds)}")
        if not isinstance(value, kinds[key]) or (isinstance(value, bool) and bool not in kinds[key]):
            wanted = " or ".join(_KIND_NAMES.get(kind, kind.__name__) for kind in kinds[key])
            raise UsageError(f"{where}: {key} must be {wanted}, got {value!r}.")
    return table


_KIND_NAMES = {str: "a text", int: "a whole number", float: "a number", list: "a list", dict: "a table"}
