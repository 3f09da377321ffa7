"""Settings in TOML files: where they lie, and reading them so that a slip is named instead of ignored."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.core.errors import UsageError, shown, unknown_name
from study.core.files import read_regular

#: Larger files of settings are none, nor are larger numbers settings.
MOST_BYTES, LARGEST = 1 << 16, 2**63 - 1


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
        OSError: it cannot be read, is no regular file or too long.
        ValueError: it is text in another encoding.
    """
    return read_regular(path, MOST_BYTES).decode(encoding)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file whose numbers are finite and have at most 64 bits, so that they can be shown and multiplied.

    Raises:
        UsageError: it is missing, unreadable or no TOML, or holds another number.
    """
    try:
        table = tomllib.loads(read_text(path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}): give an existing TOML file.") from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits are no TOMLDecodeError
        raise UsageError(f"{path} is not TOML ({error}): mend the file.") from error
    waiting: list[tuple[str, Any]] = [("", table)]
    for name, value in waiting:
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(name, one) for one in value]
        elif isinstance(value, (int, float)) and not -LARGEST <= value <= LARGEST:  # NaN fails too
            raise UsageError(f"{path}: numbers must be finite and of at most 64 bits, {shown(name)} is not: mend it.")
    return table


def check_table(where: str, table: Any, kinds: Mapping[str, tuple[type, ...]]) -> dict[str, Any]:
    """Return the table if it holds known keys of the right kinds only; ``where`` names file and table in messages.

    ``kinds`` are the allowed keys with the Python types that each may have; ``bool`` is never taken for a number.

    Raises:
        UsageError: no table, an unknown key (close ones are suggested) or a value of another kind.
    """
    if not isinstance(table, dict):
        raise UsageError(f"{where} must be a table of settings, got {shown(table)}.")
    for key, value in table.items():
        if key not in kinds:
            raise UsageError(f"{where}: {unknown_name('setting', key, kinds)}")
        if not isinstance(value, kinds[key]) or (isinstance(value, bool) and bool not in kinds[key]):
            wanted = " or ".join(_KIND_NAMES.get(kind, kind.__name__) for kind in kinds[key])
            raise UsageError(f"{where}: {key} must be {wanted}, got {shown(value)}.")
    return table


_KIND_NAMES = {str: "a text", int: "a whole number", float: "a number", list: "a list", dict: "a table"}
