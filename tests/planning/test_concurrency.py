"""How many runs go on at once with --jobs auto: what was measured decides, once a machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.cli.run_options import AUTO_JOBS, parse_jobs
from study.core.errors import UsageError
from study.core.spec import Spec
from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.planning.concurrency import FILE, Paces, choose_jobs, free_memory_mb, grid_s, measure_concurrency, ways
from study.planning.grid import Choices, read_grid, resolve_specs, select_pairs
from study.planning.plan import PlannedRun
from study.protocols.budgets import Speed, read_budget
from study.training.speed import Pace
from tests.changed import replace


@pytest.fixture(scope="module")
def faces() -> ImageSet:
    return load("synthetic:images=200")


def runs(faces: ImageSet, *models: str, seeds: int = 4, estimate_s: float = 100.0) -> list[PlannedRun]:
    pairs = select_pairs(read_grid("all"), models or ("cnn3",), ("baseline",))
    choices = Choices(read_budget("demo"), seeds=tuple(range(seeds)), weights="none")
    return [PlannedRun(one, None, estimate_s, Speed(100, 100, 1)) for one in resolve_specs(pairs, choices, faces)]


class Measure:
    """Start takes as long however many; the rate of one process falls to ``shares[processes]`` of that alone."""

    def __init__(self, shares: dict[int, float | None], start_s: float = 5.0, memory_mb: float = 100.0) -> None:
        self.shares, self.start_s, self.memory_mb = shares, start_s, memory_mb
        self.asked: list[tuple[str, int]] = []

    def __call__(self, spec: Spec, processes: int) -> Pace | None:
        self.asked.append((spec.model.name, processes))
        share = self.shares[processes]
        return None if share is None else Pace(self.start_s, 1000.0 * share, self.memory_mb)


def test_the_ways_of_sharing_go_up_to_a_core_or_a_run_each() -> None:
    assert ways(1, 9) == [1] and ways(2, 9) == [1, 2] and ways(8, 9) == [1, 2, 4, 8]
    assert ways(8, 3) == [1, 2, 3] and ways(4, 0) == [1]


def test_the_fastest_way_is_chosen_and_kept(faces: ImageSet, tmp_path: Path) -> None:
    measure = Measure({1: 1.0, 2: 0.6, 4: 0.2})
    found = jobs, why = choose_jobs(runs(faces), Paces(tmp_path, 4, measure))
    assert jobs == 2 and "2 threads each, on 4 cores" in why
    assert measure.asked == [("cnn3", 1), ("cnn3", 2), ("cnn3", 4)]
    again = choose_jobs(runs(faces), Paces(tmp_path, 4, None))
    assert again == found, "a dry run looks at what was measured before"


def test_one_after_another_where_sharing_is_slower(faces: ImageSet, tmp_path: Path) -> None:
    assert choose_jobs(runs(faces), Paces(tmp_path, 2, Measure({1: 1.0, 2: 0.3}, start_s=0.1)))[0] == 1


def test_a_way_that_fails_or_needs_too_much_memory_is_not_chosen(faces: ImageSet, tmp_path: Path) -> None:
    fast = {1: 1.0, 2: 1.0}
    assert choose_jobs(runs(faces), Paces(tmp_path / "a", 2, Measure({1: 1.0, 2: None})))[0] == 1
    assert choose_jobs(runs(faces), Paces(tmp_path / "b", 2, Measure(fast, memory_mb=600)), free_mb=1000)[0] == 1
    assert choose_jobs(runs(faces), Paces(tmp_path / "c", 2, Measure(fast, memory_mb=400)), free_mb=1000)[0] == 2
    assert choose_jobs(runs(faces), Paces(tmp_path / "d", 2, Measure({1: None, 2: None})))[0] == 1


def test_short_work_is_not_measured(faces: ImageSet, tmp_path: Path) -> None:
    measure = Measure({})
    assert choose_jobs(runs(faces, estimate_s=1.0), Paces(tmp_path, 2, measure))[0] == 2
    assert choose_jobs(runs(faces, seeds=1), Paces(tmp_path, 2, measure))[0] == 1, "a single run has nothing to share"
    assert measure.asked == []


def test_only_models_that_most_of_the_work_is_in_are_measured(faces: ImageSet, tmp_path: Path) -> None:
    measure = Measure({1: 1.0, 2: 0.6})
    choose_jobs(runs(faces, "cnn5", estimate_s=900.0) + runs(faces, "cnn2"), Paces(tmp_path, 2, measure))
    assert {name for name, _ in measure.asked} == {"cnn5"}


def test_a_damaged_file_of_measurements_is_made_again(faces: ImageSet, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("[1]")
    assert choose_jobs(runs(faces), Paces(tmp_path, 2, Measure({1: 1.0, 2: 0.9})))[0] == 2


def test_a_grid_takes_no_less_than_its_longest_run(faces: ImageSet) -> None:
    specs = [run.spec for run in runs(faces, seeds=3)]
    pace = {"cnn3": Pace(10.0, 1e9, 0.0)}
    assert grid_s(specs, 1, pace) == pytest.approx(30.0, rel=0.01)
    assert grid_s(specs, 2, pace) == pytest.approx(15.0, rel=0.01)
    assert grid_s(specs[:1], 2, pace) == pytest.approx(10.0, rel=0.01)
    assert free_memory_mb() > 0


def test_the_flag_takes_a_number_or_auto() -> None:
    assert (parse_jobs("3"), parse_jobs("auto")) == (3, AUTO_JOBS)
    for wrong in ("0", "-1", "two", "1.5", "99999"):
        with pytest.raises(UsageError, match="--jobs"):
            parse_jobs(wrong)


@pytest.mark.slow
def test_processes_that_are_measured_together_train_at_the_same_time(faces: ImageSet) -> None:
    spec = runs(faces)[0].spec
    about = {"image_shape": (48, 48, 1), "classes": 7, "plugins": ()}
    pace = measure_concurrency(spec, 2, **about)  # type: ignore[arg-type]
    assert pace is not None and pace.train_images_per_s > 0 and pace.start_s > 0 and pace.memory_mb > 100
    broken = replace(spec, model=replace(spec.model, name="cnn33"))
    assert measure_concurrency(broken, 1, **about) is None, "its run will tell why"  # type: ignore[arg-type]
