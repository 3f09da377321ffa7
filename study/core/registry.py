"""Registries: named components, each found in a file of its own; a name taken twice names both files."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from study.core.errors import UsageError, unknown_name
from study.core.toml import shipped

T = TypeVar("T")


class Registry(Generic[T]):
    """Components of a kind (``"model"``, for messages) by name, with the file that each came from.

    The modules of ``package`` register themselves when imported: on the first look-up, in sorted order.
    """

    def __init__(self, kind: str, package: str | None = None) -> None:
        self.kind = kind
        self.package = package
        self._entries: dict[str, T] = {}
        self._files: dict[str, str] = {}
        self._discovered = False

    def add(self, name: str, entry: T, file: str) -> None:
        """Register a component.

        Raises:
            UsageError: the name is taken by another file.
        """
        if name in self._entries and self._files[name] != file:
            raise UsageError(
                f"{self.kind} names are unique: {name!r} is defined in {self._files[name]} and in {file}. Rename one."
            )
        self._entries[name] = entry
        self._files[name] = file

    def get(self, name: str) -> T:
        """Return the component of that name.

        Raises:
            UsageError: no such name; close names are suggested.
        """
        self._discover()
        if name not in self._entries:
            raise unknown_name(self.kind, name, self._entries)
        return self._entries[name]

    def names(self) -> list[str]:
        """Return every registered name, sorted."""
        self._discover()
        return sorted(self._entries)

    def file(self, name: str) -> str:
        """Return the file that registered ``name``."""
        self.get(name)
        return self._files[name]

    def __iter__(self) -> Iterator[T]:
        for name in self.names():
            yield self._entries[name]

    def _discover(self) -> None:
        if self._discovered or self.package is None:
            return
        self._discovered = True
        package = importlib.import_module(self.package)
        for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name):
            importlib.import_module(f"{self.package}.{module.name}")


def load_plugins(paths: Iterable[str | Path] | None) -> None:
    """Import each of some plugins with ``load_plugin``; None means there are none."""
    for path in paths or ():
        load_plugin(path)


def load_plugin(path: str | Path) -> ModuleType:
    """Import a Python file so that it registers its components. Plugins are code: they run with the user's rights.

    The example plugins that come with the package can be named from any folder: ``experiments/plugin_example.py``.

    Raises:
        UsageError: the file is missing, is no ``.py`` file, or fails on import.
    """
    file = shipped(path).resolve()
    if not file.is_file() or file.suffix != ".py":
        raise UsageError(f"a plugin is a Python file (.py), got {path}: give the path of an existing file.")
    name = f"study_plugin_{file.stem}"
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(file):
        return loaded
    source = importlib.util.spec_from_file_location(name, file)
    if source is None or source.loader is None:
        raise UsageError(f"the plugin {path} cannot be imported.")
    module = importlib.util.module_from_spec(source)
    sys.modules[name] = module
    try:
        source.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"the plugin {path} failed on import: {type(error).__name__}: {error}.") from error
    return module
