"""Store -> plain data: everything that the report shows, computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.evaluations import Evaluations, all_evaluations
from study.analysis.leaderboard import Standing, leaderboard
from study.analysis.leaks import Leak, measure_leaks
from study.analysis.pairs import MARGIN
from study.analysis.recipes import Naming, Recipe, read_records
from study.analysis.rescoring import Rescoring, rescore, subsets_of_test
from study.analysis.runs import ScoredRun, scored_runs
from study.analysis.scores import ACCURACY, Measure, Statement
from study.analysis.statistics import Statistics, compute_statistics
from study.core.errors import StoreError
from study.core.record import DatasetCard, Record
from study.core.store import UPDATES_FILE, Store, rows_of
from study.report.wording import percent


@dataclass(frozen=True)
class StudyData:
    """One study as the report needs it."""

    study: str  #: The study's name, for people.
    name: str  #: Its name as commands take it, with ``published/``.
    card: DatasetCard  #: The dataset's card (``ImageSet.card``).
    records: tuple[Record, ...]  #: Every record in table order (models, protocols, seeds).
    naming: Naming  #: Names and order of models and protocols.
    runs: tuple[ScoredRun, ...]  #: The scored runs, in the order of ``records``, but for those of ``elsewhere``.
    #: The scored runs on another split than the image set's own; they compare with each other only.
    elsewhere: tuple[ScoredRun, ...]
    standings: tuple[Standing, ...]  #: The leaderboard.
    found: Statistics | None  #: What the tests say; None before a run has finished.
    leaks: tuple[Leak, ...]  #: What leaky runs claim and what their clean twins score.
    rescoring: Rescoring | None  #: The answers on parts of the test split; None where the study has no dataset file.
    #: Model, protocol, seed and hash of the runs that are left out because what is stored of them is damaged.
    damaged: tuple[str, ...] = ()
    #: What ``study evaluate`` found about runs on corrupted images and other datasets.
    evaluations: tuple[Evaluations, ...] = ()
    remarks: tuple[str, ...] = ()  #: What the study's authors say of it, by paragraph.
    updates_file: str = ""  #: Name of the file with the updates that its budget measured, where there is one.

    @property
    def classes(self) -> list[str]:
        """Class names in label order."""
        return list(self.card.classes)

    @property
    def ranked(self) -> list[Standing]:
        """The standings that have a rank."""
        return [standing for standing in self.standings if standing.rank is not None]

    @property
    def finished(self) -> list[ScoredRun]:
        """Every scored run, on whatever split, in the order of ``records``."""
        place = {record.key: number for number, record in enumerate(self.records)}
        return sorted([*self.runs, *self.elsewhere], key=lambda run: place[run.record.key])

    @property
    def seeds(self) -> list[int]:
        """Every seed that something was trained with, ascending."""
        return sorted({record.spec.seed for record in self.trained})

    @property
    def trained(self) -> list[Record]:
        """The records of runs; those of imported predictions say nothing of how they were made."""
        return [record for record in self.records if not record.imported]

    @property
    def imported(self) -> list[Recipe]:
        """What was imported, in table order."""
        return list(dict.fromkeys(self.recipe(record) for record in self.records if record.imported))

    @property
    def unfinished(self) -> list[Record]:
        """Failed and skipped records."""
        return [record for record in self.records if record.status != "done"]

    @property
    def several_seeds(self) -> bool:
        """True where some recipe was trained with more than one seed."""
        return any(len(one.runs) > 1 for one in self.standings)

    @property
    def few_seeds(self) -> list[Standing]:
        """The ranked recipes with too few seeds for statements about them."""
        return [one for one in self.ranked if self.found and not self.found.scores.has_seeds(one.recipe)]

    def rescored(self, subset: str) -> dict[Recipe, Statement]:
        """Return every recipe's accuracy on a subset of the test images by its name; empty where it is not known."""
        return self.rescoring.on(subset) if self.rescoring else {}

    def recipe(self, record: Record) -> Recipe:
        """Return a record's recipe."""
        return self.naming.of(record)


def shown_score(found: Statistics, one: Standing, measure: Measure = ACCURACY) -> Statement:
    """Return a recipe's test score; that of the first allows for its choice by the same seeds that score it."""
    return found.winner(measure) if one.rank == 1 else found.scores.score(one.recipe, measure)


def mean_beside_score(found: Statistics) -> str:
    """Return the mean of the best's seeds in percent where its score, which allows for its choice, shows another."""
    mean = percent(found.mean_of_winner)
    return "" if mean == percent(found.winner().value) else mean


def collect(store: Store, margin: float = MARGIN) -> StudyData:
    """Read, score and test a study; ``margin`` is that of equivalence, in shares of accuracy.

    Raises:
        StoreError: the study has no records, none that can be read, or a dataset file of other images.
    """
    records, naming, damaged = read_records(store)
    scored = scored_runs(store, records)
    runs = [run for run in scored if run.record.on_own_test]
    standings = leaderboard(runs, naming)
    dataset = store.find_dataset()
    copies = {} if dataset is None else _copies(dataset, runs)
    return StudyData(
        study=store.title,
        name=store.study,
        card=records[0].dataset,
        records=tuple(records),
        naming=naming,
        runs=tuple(runs),
        elsewhere=tuple(run for run in scored if not run.record.on_own_test),
        standings=tuple(standings),
        found=compute_statistics(standings, copies.get("test"), margin, copies.get("validation")) if runs else None,
        leaks=tuple(measure_leaks(scored, naming, dataset)),
        rescoring=(
            rescore(standings, subsets_of_test(dataset, store.find_ferplus()), copies["test"])
            if dataset is not None and standings
            else None
        ),
        damaged=tuple(damage.run for damage in damaged),
        evaluations=tuple(all_evaluations(store, records)),
        remarks=store.find_remarks(),
        updates_file=UPDATES_FILE if (store.folder / UPDATES_FILE).is_file() else "",
    )


def _copies(dataset: Mapping[str, NDArray[Any]], runs: list[ScoredRun]) -> dict[str, NDArray[Any]]:
    """Return the content hash of every test and validation image by split, in the order of the predictions."""
    places = {split: rows_of(dataset["splits"], split) for split in ("test", "validation")}
    for run in runs:
        if not np.array_equal(dataset["labels"][places["test"]], run.record.arrays["test_labels"]):
            raise StoreError(
                f"the test labels of {run.record.key} are not those of the study's dataset file. "
                "Run the study once with its dataset at hand to write it anew."
            )
    return {split: dataset["hashes"][there] for split, there in places.items()}
