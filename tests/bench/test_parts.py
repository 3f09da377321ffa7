"""What is measured: refused before any process starts where it cannot be; peers are the same networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.bench.contest import PEER_MODELS, Child, ContestError, Entrant, ours, peers
from study.bench.ours import Ours
from study.bench.parts import Bounds, measure_parts
from study.bench.task import Task, make_arrays
from study.bench.tricks import TRICKS, leave_out
from study.core.errors import UsageError
from study.core.registry import load_plugin
from study.training import steps
from study.training.backend import on_tensorflow
from study.training.device import Gpu

#: Enough for the losses to fall; the larger the network, the fewer.
UPDATES = {"cnn3": 60, "cnn5": 20, "vgg16": 2, "resnet50": 2}


@pytest.mark.parametrize(
    ("parts", "bounds", "said"),
    [
        (("modles",), Bounds(("cnn3",)), "models"),
        (("models",), Bounds(("cnn33",)), "cnn3"),
        (("models",), Bounds(("vgg16",), side_px=16), "--side"),
        (("models",), Bounds(("cnn3",), precision="half"), "--precision"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(parts: tuple[str, ...], bounds: Bounds, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        measure_parts(parts, bounds, lambda line: pytest.fail(line))


def test_where_nobody_can_measure_a_model_there_is_no_page_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []
    monkeypatch.setattr("study.bench.parts.ours", lambda task: Entrant("broken", tmp_path / "missing.py", task))
    with pytest.raises(ContestError, match="Nothing could measure cnn3"):
        measure_parts(("models",), Bounds(("cnn3",), precision="float32"), said.append)
    assert any(line.startswith("broken ended with code 1") for line in said)


def test_tricks_have_names_of_their_own_and_unknown_ones_are_refused() -> None:
    assert len({trick.name for trick in TRICKS}) == len(TRICKS)
    with pytest.raises(UsageError, match=TRICKS[0].name):
        leave_out(TRICKS[0].name[:-1])


def test_every_process_has_the_threads_of_its_task() -> None:
    task = Task("cnn3", threads=3)
    entrants = [ours(task), ours(task, TRICKS[0]), *(one for one in peers(task) if one.name.startswith("torch"))]
    assert {one.environment["OMP_NUM_THREADS"] for one in entrants} == {"3"}
    assert peers(Task("tiny")) == [], "only architectures that the peers have"


def test_a_head_learns_on_cached_features_what_it_learns_behind_its_body(monkeypatch: pytest.MonkeyPatch) -> None:
    load_plugin("experiments/plugin_body.py")
    task = Task("my_body", images=256)
    cached = Ours(task, *make_arrays(task))
    first = cached.train_head(12)
    monkeypatch.setattr("study.training.features.extractor", lambda network: pytest.fail("features were computed"))
    assert cached.train_head(12).loss < first.loss, "it goes on, and its features are there already"
    monkeypatch.setattr("study.training.features.fixed", lambda network: False)
    assert Ours(task, *make_arrays(task)).train_head(12).loss == pytest.approx(first.loss, rel=1e-4)


@pytest.mark.skipif(not on_tensorflow(), reason="only TensorFlow's loop is left out")
def test_without_the_traced_loop_fit_makes_the_same_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task("cnn2", images=256)
    traced = Ours(task, *make_arrays(task)).train(4)
    monkeypatch.setattr(steps, "_TensorflowLoop", steps._TensorflowLoop)  # put back when the test ends
    leave_out("traced-loop")
    assert Ours(task, *make_arrays(task)).train(4).loss == pytest.approx(traced.loss, rel=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("model", PEER_MODELS)
def test_peers_train_the_same_network(model: str) -> None:
    task = Task(model, images=2048, threads=2)
    large = model in ("vgg16", "resnet50")
    losses: dict[str, list[float]] = {}
    sizes = {}
    for one in [ours(task), *peers(task)]:
        child = Child(one)
        sizes[one.name] = child.greeting["parameters"]
        turns = [child.ask(measure="train", batches=UPDATES[model]) for _ in range(1 if large else 2)]
        losses[one.name] = [turn["loss"] for turn in turns]
        assert child.ask(measure="train_augmented", batches=2)["loss"] < 50
        assert child.ask(measure="predict", batches=1)["images"] == 256
        child.end()
    assert len(set(sizes.values())) == 1, sizes
    if not large:  # a few updates of a large network from random weights say nothing yet
        last = [found[-1] for found in losses.values()]
        assert max(last) - min(last) < 0.25, losses


def test_on_a_gpu_pytorch_takes_part_in_three_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.bench.contest.importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr("study.bench.contest.visible_gpus", lambda: [Gpu("NVIDIA H100", 9.0)])
    found = {one.name: one.environment.get("TORCH_WAY") for one in peers(Task("cnn3")) if one.name.startswith("torch")}
    assert found == {
        f"torch {precision} {way}": way
        for precision in ("float32", "mixed_bfloat16")
        for way in ("eager", "graph", "compiled")
    }
    monkeypatch.setattr("study.bench.contest.visible_gpus", list)
    names = [one.name for one in peers(Task("cnn3")) if one.name.startswith("torch")]
    assert names == ["torch float32", "torch mixed_bfloat16"], "a processor has one way"
