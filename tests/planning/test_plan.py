"""Plans: what is done, failed or missing, and about how long the rest takes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from study.core.store import Store
from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.planning.grid import Choices, PlannedSpec, read_grid, resolve_specs, select_pairs
from study.planning.plan import Plan, duration, estimate_s, make_plan, speeds_here
from study.protocols.budgets import Speed, read_budget, read_speeds
from study.training.device import Gpu
from tests.changed import replace
from tests.execution.executors.fake_execute import done_record, failed_record


@pytest.fixture(scope="module")
def faces() -> ImageSet:
    return load("synthetic:images=200")


def specs(faces: ImageSet, *models: str, seeds: tuple[int, ...] = (0,)) -> list[PlannedSpec]:
    pairs = select_pairs(read_grid("all"), models or ("cnn2", "cnn3"), ("baseline",))
    return resolve_specs(pairs, Choices(read_budget("demo"), seeds=seeds, weights="none"), faces)


def plan(faces: ImageSet, store: Store, planned: list[PlannedSpec]) -> Plan:
    return make_plan(planned, store, faces, read_speeds(), {})


def test_without_records_everything_is_missing(faces: ImageSet, tmp_path: Path) -> None:
    made = plan(faces, Store(tmp_path, "s"), specs(faces))
    assert [run.state for run in made.runs] == ["missing", "missing"]
    assert "2 runs: 0 done, 0 failed, 2 missing" in made.lines(1)[0]


def test_where_there_is_a_gpu_the_plan_takes_its_speeds(
    faces: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = resolve_specs(
        select_pairs(read_grid("all"), ("cnn5", "vgg16"), ("baseline",)),
        Choices(read_budget("full"), weights="none", sides_px=(48,)),
        faces,
    )
    hours = {}
    for gpus in ([], [Gpu("NVIDIA H100 80GB HBM3", 9.0)]):
        monkeypatch.setattr("study.planning.plan.visible_gpus", lambda found=gpus: found)
        made = make_plan(planned, Store(tmp_path, "s"), faces, speeds_here(), {})
        hours[len(gpus)] = [run.estimate_s - run.speed.start_s for run in made.runs]
    assert all(gpu < cores / 3 for gpu, cores in zip(sorted(hours[1]), sorted(hours[0]), strict=True))


def test_done_runs_are_closed_and_failed_ones_open(faces: ImageSet, tmp_path: Path) -> None:
    store, planned = Store(tmp_path, "s"), specs(faces)
    store.keep(done_record(planned[0].spec, faces))
    store.keep(failed_record(planned[1].spec, faces))
    made = plan(faces, store, planned)
    assert [run.spec for run in made.open] == [planned[1].spec]
    assert "1 done, 1 failed, 0 missing" in made.lines(1)[0]


def test_a_record_of_other_code_is_marked_and_not_run_again(faces: ImageSet, tmp_path: Path) -> None:
    store, planned = Store(tmp_path, "s"), specs(faces, "cnn2")
    record = done_record(planned[0].spec, faces)
    store.keep(replace(record, provenance=replace(record.provenance, code="other")))
    made = plan(faces, store, planned)
    assert not made.open
    text = "\n".join(made.lines(1))
    assert "done (code changed since)" in text and "nothing to do" in text


def test_seeds_of_a_recipe_share_a_row(faces: ImageSet, tmp_path: Path) -> None:
    store, planned = Store(tmp_path, "s"), specs(faces, "cnn2", seeds=(0, 1, 2))
    store.keep(done_record(planned[1].spec, faces))
    (row,) = [line for line in plan(faces, store, planned).lines(1) if "cnn2" in line]
    assert "0-2" in row and "2 missing" in row and "1 done" in row


def test_weights_of_transfer_networks_are_told(faces: ImageSet, tmp_path: Path) -> None:
    assert any(
        "vgg16: random weights" in line for line in plan(faces, Store(tmp_path, "s"), specs(faces, "vgg16")).lines(1)
    )


def test_a_faster_model_takes_less(faces: ImageSet) -> None:
    (one,) = specs(faces, "cnn2")
    assert estimate_s(one.spec, faces, Speed(200, 900, 1)) < estimate_s(one.spec, faces, Speed(100, 900, 1))


def test_done_runs_correct_the_estimate(faces: ImageSet, tmp_path: Path) -> None:
    store, planned = Store(tmp_path, "s"), specs(faces, "cnn2", seeds=(0, 1))
    before = plan(faces, store, planned).runs[1].estimate_s
    record = done_record(planned[0].spec, faces)
    store.keep(replace(record, timing=replace(record.timing, train_images_per_s=1.0)))
    assert plan(faces, store, planned).runs[1].estimate_s > 10 * before


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (1500, "25 min"),
        (7500, "2 h 05 min"),
        (7200, "2 h"),
        (604_800, "168 h"),
        (40_000, "11 h 06 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_one_run_is_one_run(faces: ImageSet, tmp_path: Path) -> None:
    assert plan(faces, Store(tmp_path, "s"), specs(faces, "cnn2")).lines(1)[0].startswith("Plan: 1 run: 0 done")


ORACLE, TWIN = "leaky/checkpoint-on-test", "clean-twin/checkpoint-on-validation"


def pair_of(faces: ImageSet, *protocols: str) -> list[PlannedSpec]:
    pairs = select_pairs(read_grid("leakage"), ("cnn3",), protocols)
    return resolve_specs(pairs, Choices(read_budget("demo"), weights="none"), faces)


def test_two_records_of_one_training_are_trained_once(faces: ImageSet, tmp_path: Path) -> None:
    made = plan(faces, Store(tmp_path, "s"), pair_of(faces, ORACLE, TWIN))
    assert [run.spec.protocol.name for run in made.open] == [ORACLE]
    assert f"missing (comes with {ORACLE})" in "\n".join(made.lines(1))
    assert len(plan(faces, Store(tmp_path, "s"), pair_of(faces, TWIN)).open) == 1, "and by itself where it is alone"


def test_a_record_that_was_lost_is_trained_again(faces: ImageSet, tmp_path: Path) -> None:
    store, planned = Store(tmp_path, "s"), pair_of(faces, ORACLE, TWIN)
    store.keep(done_record(planned[0].spec, faces))
    assert [run.spec for run in plan(faces, store, planned).open] == [planned[1].spec]


@pytest.mark.slow
def test_a_hundred_thousand_runs_are_planned_in_seconds(faces: ImageSet, tmp_path: Path) -> None:
    """The aim is ten seconds for `study run --dry-run` on a busy machine; processor time does not depend on that."""
    before = time.process_time()
    pairs = select_pairs(read_grid("all"))
    choices = Choices(read_budget("full"), seeds=tuple(range(5000)), weights="none")
    made = plan(faces, Store(tmp_path, "s"), resolve_specs(pairs, choices, faces))
    lines = made.lines(1)
    assert len(made.runs) == 100_000 and "100000 missing" in lines[0]
    assert time.process_time() - before < 10
