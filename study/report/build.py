"""Build: a study's data becomes a report: the page's text, tables and pictures, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from study.analysis.equivalence import MARGIN
from study.analysis.factors import is_random_start
from study.analysis.leaderboard import FEWEST_UPDATES
from study.analysis.recipes import is_leaky, random_weights
from study.analysis.statistics import Statistics
from study.core.store import Store
from study.report.collect import StudyData, collect
from study.report.conclusions import conclusions
from study.report.figures.classes import class_picture
from study.report.figures.confusion import confusion_pictures
from study.report.figures.contrasts import contrasts_picture
from study.report.figures.curves import model_pictures, overview_picture
from study.report.figures.effects import class_effects_picture, effects_picture
from study.report.figures.leaks import curve_picture, ladder_picture
from study.report.figures.pareto import pareto_picture
from study.report.figures.picture import Picture
from study.report.figures.ranking import ranking_picture
from study.report.figures.reliability import reliability_picture
from study.report.latex import latex_tables
from study.report.markdown import render
from study.report.published_results import DATASET, read_published
from study.report.reproduce import commands
from study.report.tables import leaks, results, runs, setup
from study.report.tables import statistics as inference
from study.report.tables.statistics import seeds_needed_words as found_seeds
from study.report.tables.table import Table
from study.report.wording import listed, ranges

TEMPLATE = Path(__file__).parent / "templates" / "report.md.j2"


@dataclass(frozen=True)
class Report:
    """A report before it is written.

    Attributes:
        markdown: The page.
        tables: CSV text by path below ``tables/``.
        pictures: Pictures by path below ``figures/``.
        latex: LaTeX tables by file name.
    """

    markdown: str
    tables: Mapping[str, str]
    pictures: Mapping[str, Picture]
    latex: Mapping[str, str] = field(default_factory=dict)


def build_report(store: Store, margin: float = MARGIN) -> Report:
    """Build the report of a study without drawing or writing anything.

    Args:
        store: The study's records.
        margin: Differences in accuracy below it count as none; in shares.

    Raises:
        StoreError: the study has no records, or a record cannot be read.
    """
    data = collect(store, margin)
    tables = _tables(data)
    pictures = _pictures(data)
    confusions = confusion_pictures(data)
    curves = model_pictures(data)
    every = [*pictures.values(), *curves.values(), *(one for found in confusions.values() for one in found)]
    markdown = render(
        TEMPLATE, data=data, tables=tables, pictures=pictures, confusions=confusions, curves=curves, **_facts(data)
    )
    kept = [
        table
        for table in [*tables.values(), results.per_class_table(data), *results.confusion_tables(data)]
        if table.name
    ]
    return Report(
        markdown=markdown,
        tables={f"{table.name}.csv": table.csv() for table in kept},
        pictures={f"{picture.name}.png": picture for picture in every},
        latex=latex_tables(data, tables),
    )


def _tables(data: StudyData) -> dict[str, Table]:
    tables = {
        "counts": setup.counts_table(data),
        "models": setup.models_table(data),
        "protocols": setup.protocols_table(data),
        "schedules": setup.schedule_table(data),
        "coverage": runs.coverage_table(data),
        "unfinished": runs.unfinished_table(data),
        "run_keys": runs.run_keys_table(data),
    }
    if data.finished:
        tables |= {"contamination": runs.contamination_table(data), "versions": runs.versions_table(data)}
        if data.card.name == DATASET:
            tables["claims"] = leaks.published_table(data, read_published())
    if data.leaks:
        tables |= {"leaks": leaks.ladder_table(data), "leaks_by_epoch": leaks.curve_table(data)}
    if data.rescoring:
        tables["rescoring"] = leaks.rescoring_table(data, data.rescoring)
    return tables | (_result_tables(data, data.found) if data.found else {})


def _result_tables(data: StudyData, found: Statistics) -> dict[str, Table]:
    tables = {
        "settings": inference.settings_table(found),
        "leaderboard": results.leaderboard_table(data, found),
        "cost": results.cost_table(data),
        "components": inference.components_table(data, found),
        "calibration": inference.calibration_table(data, found),
        **{measure: results.class_measure_table(data, found, measure) for measure in found.effects.by_class},
    }
    for comparisons, declared in (
        (found.recipes, inference.declared_recipes_table(found)),
        (found.networks, inference.declared_networks_table(found.networks)),
    ):
        if comparisons.declared:
            tables[f"declared_{comparisons.question}"] = declared
            tables[f"pairs_{comparisons.question}"] = inference.pairs_table(comparisons)
    if found.effects:
        tables["effects"] = inference.effects_table(found, data.naming.models)
        tables["class_effects"] = inference.all_class_effects_table(data, found)
        for measure in found.effects.by_class:
            tables[f"{measure}_effects"] = inference.class_effects_table(data, found, measure)
    views = inference.views_table(data, found)
    if len(views.rows) > len(data.standings):  # more than single views
        tables["views"] = views
    if found.ensembles:
        tables["ensembles"] = inference.ensembles_table(found)
    return tables


def _pictures(data: StudyData) -> dict[str, Picture]:
    found = data.found
    pictures = {"leaks": ladder_picture(data.leaks)} if data.leaks else {}
    if by_epoch := curve_picture(data.leaks):
        pictures["leaks_by_epoch"] = by_epoch
    if data.finished:
        pictures["curves"] = overview_picture(data)
    if not found:
        return pictures
    pictures |= {"ranking": ranking_picture(data, found)}
    if data.ranked:
        pictures |= {"reliability": reliability_picture(data, found), "pareto": pareto_picture(data, found)}
    if found.effects:
        pictures |= {"effects": effects_picture(data, found), "class_effects": class_effects_picture(data, found)}
    if len(found.main.compared) > 2:
        pictures["contrasts"] = contrasts_picture(found.main)
    return pictures | {one: class_picture(data, one) for one in found.effects.by_class}


def _facts(data: StudyData) -> dict[str, Any]:
    """Return the small facts that the template names."""
    statuses = [(status, sum(one.status == status for one in data.trained)) for status in ("done", "failed", "skipped")]
    return {
        "conclusions": conclusions(data),
        "title": f"Study {data.study}" + (": drawn faces (synthetic)" if data.card.drawn else ""),
        "budgets": listed(sorted({record.spec.budget for record in data.trained})),
        "models": len({data.recipe(record).model for record in data.trained}),
        "protocols": len({data.recipe(record).protocol for record in data.trained}),
        "seeds": ranges(data.seeds),
        "statuses": ", ".join(f"{count} {status}" for status, count in statuses if count),
        "missing": len(runs.missing_cells(data)),
        "unconverged": sum(not run.converged for run in data.runs),
        "random_weights": any(random_weights(one.spec) and not one.spec.protocol.start for one in data.trained),
        "shares": sorted({one.spec.protocol.train_share for one in data.trained if one.spec.protocol.train_share < 1}),
        "all_shares": all(one.spec.protocol.train_share < 1 for one in data.trained),
        "several_seeds": any(len(standing.runs) > 1 for standing in data.standings),
        "found": data.found,
        "seeds_sentence": found_seeds(data.found),
        "hardly_trained": any(one.hardly_trained for one in data.standings),
        "fewest_updates": FEWEST_UPDATES,
        "several_starts": len({data.recipe(run.record) for run in data.runs if is_random_start(run.spec.protocol.name)})
        > 1,
        "few_seeds": [one for one in data.ranked if data.found and not data.found.scores.has_seeds(one.recipe)],
        "many_pairs": inference.MOST_PAIRS,
        "runs_each": sorted({len(standing.runs) for standing in data.ranked}),
        "views": any("test_views" in run.record.arrays for run in data.runs),
        "leaky": any(is_leaky(run.record) for one in data.standings for run in one.runs),
        "without_validation": any(not run.on_validation for one in data.standings for run in one.runs),
        "watched": any(record.spec.protocol.monitor_test for record in data.records),
        "elsewhere": sorted({str(data.recipe(run.record)) for run in data.elsewhere}),
        "subset_names": [subset.name for subset in data.rescoring.subsets] if data.rescoring else [],
        "commands": commands(data),
        "confusion_names": [run.record.key for run in data.finished],
    }
