"""One study as the page needs it at once: scored runs and their ranking, without the tests of a report."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass, field

from study.analysis.leaderboard import Standing, leaderboard
from study.analysis.recipes import Naming, Recipe, read_records
from study.analysis.runs import ScoredRun, scored_runs
from study.analysis.scores import Scores, Statement
from study.core.record import DatasetCard, Record
from study.core.store import Damage, Store
from study.report.collect import copies_of_test

_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Overview:
    """A study's records, read and scored once.

    Attributes:
        study: Its name.
        card: The dataset's card (``ImageSet.card``).
        records: Every record in table order: models, protocols, seeds.
        naming: Names and order of models and protocols.
        runs: The finished runs, in that order.
        standings: The leaderboard of all of them; those on another split than the image set's own are not ranked.
        scores: Answers questions on runs of the image set's own test split; None where there are none.
        damaged: What is left out.
    """

    study: str
    card: DatasetCard
    records: tuple[Record, ...]
    naming: Naming
    runs: tuple[ScoredRun, ...]
    standings: tuple[Standing, ...]
    scores: Scores | None
    damaged: tuple[Damage, ...] = ()
    _intervals: dict[Recipe, Statement] = field(default_factory=dict, repr=False, compare=False)

    @property
    def classes(self) -> list[str]:
        """Class names in label order."""
        return list(self.card.classes)

    @property
    def comparable(self) -> list[ScoredRun]:
        """The finished runs that answer the same test images."""
        return [run for run in self.runs if run.record.on_own_test]

    def label(self, record: Record) -> str:
        """Return how a run is named on the page: recipe and seed."""
        return f"{self.naming.of(record)}, seed {record.spec.seed}"

    def interval(self, recipe: Recipe) -> Statement | None:
        """Return a recipe's test accuracy with its interval, computed when it is first asked for."""
        if self.scores is None or recipe not in self.scores.recipes:
            return None
        if recipe not in self._intervals:
            self._intervals[recipe] = self.scores.score(recipe)
        return self._intervals[recipe]


def read_overview(store: Store) -> Overview:
    """Read and score a study.

    Raises:
        StoreError: it has no records, or none that can be read.
    """
    records, naming, damaged = read_records(store)
    runs = scored_runs(store, records)
    own = [run for run in runs if run.record.on_own_test]
    copies = copies_of_test(store.find_dataset(), own)
    ranked = leaderboard(own, naming)
    elsewhere = leaderboard([run for run in runs if not run.record.on_own_test], naming)
    return Overview(
        study=store.study,
        card=records[0].dataset,
        records=tuple(records),
        naming=naming,
        runs=tuple(runs),
        standings=(*ranked, *elsewhere),
        scores=Scores({one.recipe: one.runs for one in ranked}, copies) if ranked else None,
        damaged=tuple(damaged),
    )


def current_overview(results: str, study: str) -> Overview:
    """Return a study's overview, read once as long as nothing stored changes.

    Raises:
        StoreError: as ``read_overview``.
    """
    store = Store(results, study)
    with _ONE_AT_A_TIME:  # two who look at once wait for one reading
        return _overview(results, study, freshness(store))


@functools.lru_cache(maxsize=8)
def _overview(results: str, study: str, fresh: tuple[tuple[str, int, int], ...]) -> Overview:
    return read_overview(Store(results, study))


def freshness(store: Store) -> tuple[tuple[str, int, int], ...]:
    """Return what changes whenever something stored does: names, times and sizes of the study's files."""
    files = [*store.folder.rglob("seed_*.json"), *store.folder.glob("*.npz")]
    stats = [(path.relative_to(store.folder).as_posix(), path.stat()) for path in sorted(files)]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)
