"""A contest: contestants take turns in processes of their own, and one that fails does not stop the others."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from study.bench.contest import ContestError, Entrant, children, take_turns
from study.bench.task import LEAST_UPDATES, Task, Turn, make_arrays

TOY = """
import os, time
from pathlib import Path
from study.bench.task import Turn

class Toy:
    parameters, macs = 7, 11

    def __init__(self, task):
        self.task = task

    def train(self, batches):
        if os.environ.get("TOY_FAILS"):
            raise RuntimeError("broken on purpose")
        with Path(os.environ["TOY_LOG"]).open("a") as log:
            print(self.task.model, batches, file=log)
        time.sleep(batches * 0.001)
        return Turn(batches * self.task.batch, batches * 0.001, 1.5)

    def predict(self, batches):
        with Path(os.environ["TOY_LOG"]).open("a") as log:
            print("predict", batches, file=log)
        return Turn(batches * 256, batches * 0.001)

def make(task, images, labels):
    print("what a library prints is no answer")
    assert images.shape == (task.images, 48, 48, 1) and len(labels) == task.images
    return Toy(task)
"""


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    file = tmp_path / "toy.py"
    file.write_text(TOY)
    return file


def entrant(toy: Path, name: str, **more: str) -> Entrant:
    environment = {"TOY_LOG": str(toy.with_name("log.txt")), **more}
    return Entrant(name, toy, Task(name, images=300), environment)


def test_contestants_take_turns_and_each_round_that_counts_has_an_answer(toy: Path) -> None:
    with children([entrant(toy, "a"), entrant(toy, "b")], pytest.fail) as contestants:
        found = take_turns(contestants, ["train"], 3, 0.02, pytest.fail)
        assert [child.greeting for child in contestants] == [{"parameters": 7, "macs": 11}] * 2
    lines = [line.split() for line in toy.with_name("log.txt").read_text().splitlines()]
    # Three short ones to warm up before the first turn, then a turn a round.
    assert [name for name, _ in lines] == [*"aaaa", *"bbbb", *"abab"]
    assert [int(batches) for _, batches in lines[:3]] == [1, 1, 4]
    assert {int(batches) for _, batches in lines[-4:]} == {20}, "turns take about the time that was asked for"
    for answers in (found[name]["train"] for name in "ab"):
        assert len(answers) == 3
        assert all(answer["images"] / answer["seconds"] == pytest.approx(64_000) for answer in answers)
        assert all(answer["loss"] == 1.5 and answer["memory_mb"] > 0 for answer in answers)


def test_every_round_has_a_turn_of_every_measure(toy: Path) -> None:
    with children([entrant(toy, "train")], pytest.fail) as contestants:
        found = take_turns(contestants, ["train", "predict"], 3, 0.02, pytest.fail)
    done = [line.split()[0] for line in toy.with_name("log.txt").read_text().splitlines()]
    assert [one for one, _ in itertools.groupby(done)] == ["train", "predict"] * 3
    assert [len(answers) for answers in found["train"].values()] == [3, 3]


def test_a_turn_of_a_slow_network_has_updates_enough_for_the_start_of_an_epoch_to_count_little(toy: Path) -> None:
    with children([entrant(toy, "a")], pytest.fail) as contestants:
        assert contestants[0].ask(measure="train", seconds=0.001)["images"] == LEAST_UPDATES * 64


def test_a_turn_can_be_asked_for_in_batches(toy: Path) -> None:
    with children([entrant(toy, "a")], pytest.fail) as contestants:
        assert contestants[0].ask(measure="train", batches=5)["images"] == 5 * 64


def test_a_contestant_that_fails_is_left_out_and_the_others_go_on(toy: Path) -> None:
    said: list[str] = []
    with children([entrant(toy, "a", TOY_FAILS="1"), entrant(toy, "b")], said.append) as contestants:
        found = take_turns(contestants, ["train"], 2, 0.01, said.append)
        assert [child.entrant.name for child in contestants] == ["b"]
    assert list(found) == ["b"] and len(found["b"]["train"]) == 2
    assert len(said) == 1 and "a ended with code 1" in said[0] and "broken on purpose" in said[0]


def test_a_contestant_that_cannot_start_is_left_out(toy: Path) -> None:
    toy.with_name("broken.py").write_text("import a_library_that_is_not_there")
    said: list[str] = []
    broken = Entrant("c", toy.with_name("broken.py"), Task("c", images=300))
    with children([broken, entrant(toy, "b")], said.append) as contestants:
        assert [child.entrant.name for child in contestants] == ["b"]
        with pytest.raises(ContestError, match="a_library_that_is_not_there"):
            raise ContestError(said[0])


def test_images_are_the_same_every_time_and_have_a_pattern_a_class() -> None:
    images, labels = make_arrays(Task("any", images=400))
    again, _ = make_arrays(Task("any", images=400))
    assert (images == again).all() and set(labels) == set(range(7))
    means = [images[labels == label].mean(axis=0) for label in range(7)]
    spread = images[labels == 0].astype(float).std(axis=0).mean()
    assert abs(means[0] - means[1]).mean() > spread, "classes differ by more than their noise"
    assert Turn(1, 1.0).loss != Turn(1, 1.0).loss, "a prediction has no loss"
