"""The verb list: what models, protocols, grids and budgets there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from study.cli.app import examples
from study.cli.options import PluginFlag

if TYPE_CHECKING:
    from study.planning.grid import Grid
    from study.protocols import Protocol
    from study.protocols.budgets import Budget

app = typer.Typer(add_completion=False)


@app.command(epilog=examples("study list", "study list --plugin experiments/plugin_example.py"))
def main(plugin: PluginFlag = None) -> None:
    """List models, protocols, grids and budgets."""
    from study.core.registry import load_plugins
    from study.models.entry import MODELS
    from study.planning.grid import grid_names, read_grid
    from study.protocols import PROTOCOLS
    from study.protocols.budgets import budget_names, read_budget

    load_plugins(plugin)
    models = [(entry.name, f"{entry.family:8}  {'/'.join(entry.groups):9}  {entry.body}") for entry in MODELS]
    protocols = [(protocol.name, _protocol_line(protocol)) for protocol in PROTOCOLS]
    grids = [(name, _grid_line(read_grid(name))) for name in grid_names()]
    budgets = [(name, _budget_line(read_budget(name))) for name in budget_names()]
    for title, rows in (("Models", models), ("Protocols", protocols), ("Grids", grids), ("Budgets", budgets)):
        width = max(len(name) for name, _ in rows)
        print(f"{title}:")
        for name, line in rows:
            print(f"  {name:{width}}  {line}".rstrip())
        print()


def _protocol_line(protocol: Protocol) -> str:
    parts = [f"sampling {protocol.sampling}"] if protocol.sampling != "none" else []
    parts += [f"augmentation {', '.join(one.name for one in protocol.augmentation)}"] if protocol.augmentation else []
    parts += [f"{name} {value}" for name, value in protocol.loss.settings.items()]
    parts += [f"{protocol.copies.number} static changed copy of each image"] if protocol.copies else []
    parts += ["all images split anew"] if protocol.new_split else []
    parts += [f"LEAKY: {protocol.leak}"] if protocol.leak != "none" else []
    return "; ".join(parts) or "no resampling, no augmentation"


def _grid_line(grid: Grid) -> str:
    parts = [f"{', '.join(grid.models)} x {', '.join(grid.protocols)}"] if grid.models else []
    parts += [", ".join(f"{model} x {protocol}" for model, protocol in grid.runs)] if grid.runs else []
    parts += [f"{axis} {', '.join(f'{value:g}' for value in values)}" for axis, values in grid.axes.items()]
    return "; ".join(parts)


def _budget_line(budget: Budget) -> str:
    caps = ", ".join(f"{kind} {updates}" for kind, updates in budget.updates.items())
    parts = [f"updates a phase at most: {caps}"] if caps else []
    parts += [f"what fits into {budget.hours:g} hours"] if budget.hours else []
    parts += ["the protocols' own epochs"] if not parts else []
    return "; ".join([*parts, f"{budget.seeds} seed{'s' if budget.seeds > 1 else ''}"])
