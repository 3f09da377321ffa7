"""Targets that people write: grids, budgets, published results and tables of classes, in TOML and CSV."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np

from study.core.toml import experiments_folder
from tests.fuzz.mutations import Seeds, mutate_text, mutate_toml
from tests.fuzz.target import Target

_PREDICTED = ("a/1.png", "a/2.png", "b/3.png", "b/4.png")


def _predictions_seeds(folder: Path) -> Seeds:
    forms = (
        ["image,label", "a/2.png,happy", "b/3.png,sad", "b/4.png,1"],
        ["row,happy,sad", "1,0.5,0.5", "2,1,0", "3,0.123,0.877"],
        ["label,id", '"happy","a/2.png"', "0,b/3.png", "SAD,b/4.png"],
    )
    return ["\n".join(lines).encode() + b"\n" for lines in forms]


def _read_predictions(data: bytes, folder: Path) -> object:
    from study.execution.import_predictions import read_predictions

    path = folder / "predictions.csv"
    path.write_bytes(data)
    splits, labels = np.array([0, 1, 2, 2], np.uint8), np.array([0, 1, 0, 1])
    return read_predictions(path, {"ids": np.array(_PREDICTED), "splits": splits, "labels": labels}, ("happy", "sad"))


def _names_images(data: bytes) -> bool:
    names = data.split(b"\n", 1)[0].lower().replace(b'"', b"").strip().split(b",")
    return len({b"image", b"id", b"row"} & {name.strip() for name in names}) == 1


_GRID = b"""models = ["cnn2", "core"]
protocols = "baseline"
seeds = [0, 2]
data = "synthetic"
budget = "demo"
epochs = 3
[axes]
rate = [0.001, 1e-4]
batch = [32]
side = [48]
train_share = [0.5, 1]
[[runs]]
model = "cnn3"
protocol = "augment"
"""


def _is_toml(data: bytes) -> bool:
    try:
        tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        return False
    return True


def _read_grid(data: bytes, folder: Path) -> object:
    from study.planning.grid import Choices, read_grid, resolve_specs, select_pairs
    from study.protocols.budgets import Budget, read_budget

    path = folder / "grid.toml"
    path.write_bytes(data)
    grid = read_grid(str(path))
    budget = read_budget(grid.budget) if grid.budget else Budget("full")
    choices = Choices(
        budget,
        seeds=grid.seeds or (0,),
        weights="none",
        sides_px=grid.axes.get("side", (grid.side_px,) if grid.side_px else ()),
        train_shares=grid.axes.get("train_share", (grid.train_share,)),
        epochs=grid.epochs,
    )
    planned = resolve_specs(select_pairs(grid), choices, _image_set())
    return [(one.spec.key, one.spec.protocol.updates) for one in planned]


def _image_set() -> object:
    from study.datasets import synthetic

    if not hasattr(_image_set, "made"):
        _image_set.made = synthetic.make(**{**synthetic.DEFAULTS, "images": 200})  # type: ignore[attr-defined]
    return _image_set.made  # type: ignore[attr-defined]


def _read_budgets(data: bytes, folder: Path) -> object:
    from study.protocols.budgets import budget_names, read_budget, read_speeds

    path = folder / "budgets.toml"
    path.write_bytes(data)
    return [read_budget(name, path).usable_jobs() for name in budget_names(path)], read_speeds(path)


def _claims_seed() -> bytes:
    from study.report.sections.claims import FILE

    return FILE.read_bytes()


def _read_published(data: bytes, folder: Path) -> object:
    from study.report.sections.claims import read_published

    path = folder / "locks.toml"
    path.write_bytes(data)
    return read_published(path)


def _read_map(data: bytes, folder: Path, suffix: str) -> object:
    from study.trained.images import map_classes, read_map

    path = folder / f"classes{suffix}"
    path.write_bytes(data)
    return map_classes(("happiness", "anger", "other"), ("happy", "angry", "sad"), read_map(path))


def _read_slices(data: bytes, folder: Path) -> object:
    from study.trained.slices import read_slices

    path = folder / "groups.csv"
    path.write_bytes(data)
    return read_slices(path).members(np.array(_PREDICTED))


def _is_pairs(data: bytes) -> bool:
    try:
        first = data.decode("utf-8-sig").split("\n")[0]
    except UnicodeDecodeError:
        return False
    return first.count(",") == 1


def _experiments(folder: Path) -> Seeds:
    names = ("all", "published", "leakage", "tune", "smoke")
    return [_GRID, *((experiments_folder() / f"{name}.toml").read_bytes() for name in names)]


TARGETS = (
    Target(
        "slices-csv",
        lambda folder: [b"image,age,light\na/1.png,old,dim\na/2.png,young,\n", b'age,"image"\r\n"o, l d",b/3.png\r\n'],
        lambda data: b"image" in data.split(b"\n", 1)[0],
        _read_slices,
        mutate_text,
        80,
    ),
    Target("predictions-csv", _predictions_seeds, _names_images, _read_predictions, mutate_text, 150),
    Target("grid-toml", lambda folder: [_GRID, _GRID, *_experiments(folder)], _is_toml, _read_grid, mutate_toml, 150),
    Target(
        "budgets-toml",
        lambda folder: [(experiments_folder() / "budgets.toml").read_bytes()],
        _is_toml,
        _read_budgets,
        mutate_toml,
        100,
    ),
    Target("published-toml", lambda folder: [_claims_seed()], _is_toml, _read_published, mutate_toml, 80),
    Target(
        "classes-toml",
        lambda folder: [b'happiness = "happy"\nanger = "angry"\nother = ""\n'],
        _is_toml,
        lambda data, folder: _read_map(data, folder, ".toml"),
        mutate_toml,
        80,
    ),
    Target(
        "classes-csv",
        lambda folder: [
            b"dataset,run\nhappiness,happy\nanger,angry\nother,\n",
            b'"happiness","happy"\r\nanger,angry\r\n',
        ],
        _is_pairs,
        lambda data, folder: _read_map(data, folder, ".csv"),
        mutate_text,
        80,
    ),
)
