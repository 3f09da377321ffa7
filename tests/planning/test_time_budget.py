"""The night's budget: it fits the time, is equal within a family and stays the same on the next start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from study.core.errors import StoreError
from study.core.spec import Spec
from study.core.store import UPDATES_FILE, Store
from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.planning.grid import Choices, PlannedSpec, read_grid, resolve_specs, select_pairs
from study.planning.plan import estimate_s
from study.planning.time_budget import TimeBudget, choose_budget, cut, fit_time_budget, fit_updates
from study.protocols.budgets import Budget, Speed, read_speeds
from tests.factories import make_record

SLOW = {"cnn2": 40.0, "cnn3": 80.0, "cnn5": 10.0, "vgg16": 3.0, "resnet50": 5.0}
BUDGET = Budget("tonight", side_px={"transfer": 48}, hours=1)


@pytest.fixture(scope="module")
def faces() -> ImageSet:
    return load("synthetic:images=1000")


def planned(faces: ImageSet, *models: str, updates: dict[str, int] | None = None) -> list[PlannedSpec]:
    budget = BUDGET.with_updates(updates or {})
    return resolve_specs(select_pairs(read_grid("all"), models), Choices(budget, weights="none"), faces)


class Measure:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.broken = ""

    def __call__(self, specs: Sequence[Spec]) -> dict[str, float]:
        self.asked += [spec.model.name for spec in specs]
        names = [spec.model.name for spec in specs]
        return {name: SLOW[name] for name in names if name != self.broken}


def choose(faces: ImageSet, folder: Path, measure: Measure | None, *models: str) -> TimeBudget:
    return fit_time_budget(planned(faces, *models), BUDGET, Store(folder, "s"), faces, read_speeds(), measure)


def test_the_whole_grid_fits_and_each_family_takes_about_half(faces: ImageSet, tmp_path: Path) -> None:
    night = choose(faces, tmp_path, Measure())
    cut = [one.spec for one in planned(faces, updates=dict(night.updates))]
    times = {family: 0.0 for family in ("custom", "transfer")}
    for spec in cut:
        times[spec.model.family] += estimate_s(spec, faces, night.speeds[spec.model.name])
    assert sum(times.values()) <= 3600
    assert all(1200 < time_s <= 1800 for time_s in times.values())


def test_models_of_a_family_get_equal_updates(faces: ImageSet, tmp_path: Path) -> None:
    night = choose(faces, tmp_path, Measure())
    for family in ("custom", "transfer"):
        specs = [one.spec for one in planned(faces, updates=dict(night.updates)) if one.spec.model.family == family]
        assert len({tuple(phase.updates for phase in spec.protocol.phases) for spec in specs}) == 1


def test_one_family_alone_gets_all_the_time(faces: ImageSet, tmp_path: Path) -> None:
    both = choose(faces, tmp_path / "both", Measure())
    alone = choose(faces, tmp_path / "alone", Measure(), "cnn2", "cnn3", "cnn5")
    assert alone.updates["custom"] > 1.5 * both.updates["custom"]


def test_the_next_start_measures_nothing_and_chooses_the_same(faces: ImageSet, tmp_path: Path) -> None:
    first, again = Measure(), Measure()
    night = choose(faces, tmp_path, first)
    assert sorted(first.asked) == sorted(SLOW)
    later = choose(faces, tmp_path, again)
    assert (later.updates, later.speeds) == (night.updates, night.speeds)
    assert again.asked == []
    assert all("chosen before" in line for line in later.lines)


def test_a_dry_run_keeps_nothing_and_says_that_speeds_will_be_measured(faces: ImageSet, tmp_path: Path) -> None:
    night = choose(faces, tmp_path, None)
    assert not list(tmp_path.iterdir())
    assert all("will be measured" in line for line in night.lines)


def test_a_model_that_cannot_be_measured_is_told(faces: ImageSet, tmp_path: Path) -> None:
    measure = Measure()
    measure.broken = "cnn5"
    night = choose(faces, tmp_path, measure, "cnn3", "cnn5")
    assert "recorded speed used: cnn5" in night.lines[0]
    assert night.updates["custom"] > 0


def test_plenty_of_time_gives_the_full_length(faces: ImageSet) -> None:
    specs = [one.spec for one in planned(faces, "cnn3")]
    fast = {"cnn3": Speed(1e9, 1e9, 0)}
    assert fit_updates(specs, faces, fast, 3600) == {"custom": specs[0].protocol.phases[0].updates}


def test_too_little_time_still_gives_an_update(faces: ImageSet) -> None:
    assert fit_updates([one.spec for one in planned(faces, "cnn3")], faces, {"cnn3": Speed(1, 1, 99)}, 1) == {
        "custom": 1
    }


def test_whole_epochs_are_kept_where_there_is_one(faces: ImageSet) -> None:
    specs = [one.spec for one in planned(faces, "cnn3")]
    found = fit_updates(specs, faces, {"cnn3": Speed(100, 1e9, 0)}, 200)["custom"]
    assert found % specs[0].protocol.phases[0].updates_per_epoch == 0 and found > 0


def test_a_damaged_choice_is_named(faces: ImageSet, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / UPDATES_FILE).write_text("{")
    with pytest.raises(StoreError, match=UPDATES_FILE):
        choose(faces, tmp_path, Measure())


def test_cut_specs_are_those_that_the_budget_would_resolve(faces: ImageSet) -> None:
    updates = {"custom": 7, "head": 3, "stage": 400}
    found = [one.spec.key for one in cut(planned(faces), updates)]
    assert found == [one.spec.key for one in planned(faces, updates=updates)]
    assert found != [one.spec.key for one in planned(faces)]


def never() -> float:
    raise AssertionError("nothing is estimated where it decides nothing")


def test_without_a_name_the_built_in_faces_get_the_demo(tmp_path: Path) -> None:
    assert choose_budget(True, Store(tmp_path, "s"), never, 100)[0] == "demo"


def test_without_a_name_all_of_it_is_done_where_that_fits_a_night(tmp_path: Path) -> None:
    assert choose_budget(False, Store(tmp_path, "s"), lambda: 99.0, 100) == (
        "full",
        "all of it takes about 1 min 39 s here",
    )
    name, why = choose_budget(False, Store(tmp_path, "s"), lambda: 255 * 3600.0, 8 * 3600)
    assert (name, why) == ("tonight", "full would take about 255 h here")


def test_without_a_name_a_study_goes_on_under_the_budget_that_it_has(tmp_path: Path) -> None:
    store = Store(tmp_path, "s")
    for seed in (0, 1):
        store.keep(make_record("cnn3", seed=seed))
    assert choose_budget(False, store, never, 100)[0] == store.records()[0].spec.budget
