"""The executor on Ray: the same records from several nodes, whatever happens to a run, a node or the driver."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.core.errors import StudyError, UsageError, WriteError
from study.core.record import Record
from study.core.spec import Spec
from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.execution.executors import Abandoned, Job
from study.execution.executors import ray as on_ray
from study.execution.executors.ray.cluster import Cluster, connected
from study.execution.executors.ray.inputs import Supplies
from study.execution.executors.ray.worker import NodeFacts, Terms, misfit
from study.training.environment import THREADS
from tests.changed import replace
from tests.execution.executors.clusters import add_node, cluster_of, run_on_ray
from tests.execution.executors.fake_execute import done_record, execute_in_worker
from tests.execution.executors.test_executors import Events, jobs

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'"
)


@pytest.fixture(scope="module")
def faces() -> ImageSet:
    return load("synthetic:images=200")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Return the address of a cluster of three nodes, one of them with a GPU that is not there."""
    os.environ["PYTHONPATH"] = os.getcwd()  # the nodes have the tests' own modules too
    with cluster_of(2) as cluster:
        add_node(cluster, num_gpus=1)
        yield cluster.address


def on_cluster(
    faces: ImageSet, todo: list[Job], address: str, **more: Any
) -> tuple[dict[int, Record], Events, list[str]]:
    events, lines = Events(), []
    options = {"workers": 0, "plugins": (), "on_event": events, "cluster": Cluster(address, log=lines.append)} | more
    found = {record.spec.seed: record for record in run_on_ray(execute_in_worker, todo, faces, **options)}
    return found, events, lines


def comparable(record: Record) -> dict[str, Any]:
    """Return what of a record does not depend on when and by which process it was made."""
    data = record.to_json()
    del data["cost"], data["timing"]
    data["provenance"] = {name: value for name, value in data["provenance"].items() if name != "started"}
    return data


def test_without_ray_one_line_says_what_to_install(faces: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"\.\[ray\]"):
        next(run_on_ray(execute_in_worker, [], faces, workers=0, plugins=(), on_event=Events()))


def test_a_driver_outside_the_cluster_is_refused(faces: ImageSet) -> None:
    options: dict[str, Any] = {
        "workers": 0,
        "plugins": (),
        "on_event": Events(),
        "cluster": Cluster("ray://head:10001"),
    }
    with pytest.raises(UsageError, match="on a node of the cluster"):
        next(run_on_ray(execute_in_worker, [], faces, **options))


def test_a_node_must_have_what_the_driver_has() -> None:
    here = {"python": "3.11", "keras": "3.15.1", "jax": "0.9"}
    assert misfit(here, dict(here)) == ""
    found = misfit(here, {"python": "3.11", "keras": "3.14.0"})
    assert found == "keras 3.14.0 instead of 3.15.1, jax missing instead of 0.9"


@pytest.mark.parametrize(
    ("cpus", "gpus", "room"), [(1, 0, 12), (2, 0, 6), (3, 0, 3), (0.5, 0, 24), (1, 0.25, 4), (4, 1, 1), (9, 0, 0)]
)
def test_the_room_of_a_cluster_is_that_of_its_nodes(cpus: float, gpus: float, room: int) -> None:
    nodes = [{"Resources": {"CPU": 8.0, "GPU": 1.0}}, {"Resources": {"CPU": 4.0}}]
    assert Cluster(cpus_per_run=cpus, gpus_per_run=gpus).fit(nodes) == room


def test_the_environment_of_runs_is_said() -> None:
    given = {"KERAS_BACKEND": "jax", "HOME": "/home/somebody", "PYTHONPATH": "/here", "STUDY_CACHE": "cache"}
    plain, sharing = Cluster().environment(given), Cluster(gpus_per_run=0.5).environment(given)
    assert plain["KERAS_BACKEND"] == "jax" and plain["PYTHONPATH"] == "/here" and "HOME" not in plain
    assert plain["STUDY_CACHE"] == str(Path("cache").absolute()), "a node works in another folder"
    assert plain["CUDA_VISIBLE_DEVICES"] == "" and "CUDA_VISIBLE_DEVICES" not in sharing
    assert sharing["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"


@needs_ray
@pytest.mark.slow
def test_nobody_at_the_address_is_one_line(faces: ImageSet) -> None:
    with pytest.raises(StudyError, match=r"no Ray cluster answers at '127.0.0.1:1'"):
        on_cluster(faces, [], "127.0.0.1:1")


@needs_ray
@pytest.mark.slow
def test_records_are_those_of_the_driver_itself_and_dead_runs_are_failed_ones(faces: ImageSet, address: str) -> None:
    found, events, lines = on_cluster(faces, jobs(faces, 10, 11, 1, 12, 2, 13), address)
    assert {seed: record.status for seed, record in found.items()} == dict.fromkeys((10, 11, 12, 13), "done") | {
        1: "failed", 2: "failed",
    }  # fmt: skip
    for seed in (10, 11, 12, 13):
        own = done_record(found[seed].spec, faces)
        assert comparable(found[seed]) == comparable(own)
        assert {name: array.tobytes() for name, array in found[seed].arrays.items()} == {
            name: array.tobytes() for name, array in own.arrays.items()
        }
    assert found[1].reason == "the worker process exited with code 3" and "last words" in found[1].traceback
    assert "SIGKILL" in found[2].reason
    assert all(
        record.cost["mapped"] and record.cost["omp"] == str(THREADS)
        for record in found.values()
        if record.status == "done"
    )
    assert sorted(events) == sorted((seed, kind) for seed in found for kind in ("start", "phase"))
    (line,) = lines
    assert line.startswith("Ray: 3 nodes with 3 CPU and 1 GPU, room for 3 at a time; images seen by all")


@needs_ray
@pytest.mark.slow
def test_a_run_can_be_abandoned_hang_stop_or_find_there_is_none_now(
    faces: ImageSet, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_ray, "POLL_S", 0.01)

    def on_event(spec: Spec, event: Mapping[str, Any]) -> None:
        if event["kind"] == "stopped":
            stopped.append(spec.seed)
        if spec.seed == 10 and event["kind"] == "phase":
            raise Abandoned

    stopped: list[int] = []
    hangs = jobs(faces, 3, checkpoints=tmp_path / "hangs")
    todo = [None, *jobs(faces, 10), None, *hangs, *jobs(faces, 9, 11), None]
    found, _, _ = on_cluster(faces, todo, address, on_event=on_event, limit_s=8.0)  # type: ignore[arg-type]
    assert {seed: record.status for seed, record in found.items()} == {3: "failed", 11: "done"}
    assert "--run-limit" in found[3].reason
    assert stopped == [9], "its time was up: it has no record"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "hangs").read_text()), 0)
    assert [path.name for path in tmp_path.iterdir()] == ["hangs"], "the folder's mark is gone"


@needs_ray
@pytest.mark.slow
def test_a_full_disk_stops_everything_and_nothing_stays_in_the_cluster(
    faces: ImageSet, address: str, tmp_path: Path
) -> None:
    hanging = jobs(faces, 3, checkpoints=tmp_path / "hangs")
    with pytest.raises(WriteError, match="No space left"):
        on_cluster(faces, [*hanging, *jobs(faces, 10, 11, 4)], address)
    with connected(Cluster(address)) as ray:
        deadline = time.monotonic() + 30
        while ray.available_resources().get("CPU") != 3:
            assert time.monotonic() < deadline, ray.available_resources()
            time.sleep(0.2)
    if (tmp_path / "hangs").exists():  # it had come that far
        with pytest.raises(ProcessLookupError):
            while time.monotonic() < deadline:
                os.kill(int((tmp_path / "hangs").read_text()), 0)
                time.sleep(0.05)


@needs_ray
@pytest.mark.slow
def test_a_node_with_other_versions_is_named_before_anything_runs(
    faces: ImageSet, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.execution.executors.ray.inputs.installed", lambda: {"python": "2.7"})
    with pytest.raises(UsageError, match=r"the same on all nodes: .* has python 3\.\d+ instead of 2\.7"):
        on_cluster(faces, jobs(faces, 10), address)


@needs_ray
@pytest.mark.slow
def test_more_than_any_node_has_is_refused(faces: ImageSet, address: str) -> None:
    with pytest.raises(UsageError, match="no node of the Ray cluster has the 5 CPU"):
        on_cluster(faces, jobs(faces, 10), address, cluster=Cluster(address, cpus_per_run=5))


def tell_files(job: Job, image_set: ImageSet, report: Any, plugins: Any) -> Record:
    """Leave weights, and tell about the files that were found and the environment."""
    record = done_record(job.spec, image_set)
    start = job.start_weights.read_bytes() if job.start_weights else b""
    if job.keep_weights:
        job.keep_weights.write_bytes(b"trained from " + start)
    facts = {
        "images": image_set.images.tobytes() == np.asarray(image_set.images).tobytes() and int(image_set.images.sum()),
        "file": getattr(image_set.images, "filename", ""), "start": start.decode(),
        "plugin": Path(plugins[0]).read_text() if plugins else "", "checkpoints": job.checkpoints is not None,
        "gpu": os.environ.get("CUDA_VISIBLE_DEVICES"), "growth": os.environ.get("TF_FORCE_GPU_ALLOW_GROWTH"),
        "pid": os.getpid(), "node": os.getppid(), "from": time.time(),
    }  # fmt: skip
    time.sleep(1.0 if not plugins else 0.0)
    return replace(record, cost=facts | {"to": time.time()})


@needs_ray
@pytest.mark.slow
def test_files_that_nodes_do_not_see_are_sent_whatever_lies_at_their_names(
    faces: ImageSet, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "images.npy", faces.images)
    mapped = replace(faces, images=np.load(tmp_path / "images.npy", mmap_mode="r"))
    np.save(tmp_path / "other.npy", 255 - faces.images)
    (tmp_path / "other.npy").rename(tmp_path / "images.npy")  # same name, same size, other faces
    (tmp_path / "start.h5").write_bytes(b"start")
    (tmp_path / "plugin.py").write_text("1\n")
    # For the nodes the results folder is another one than the driver's, and the start weights are other ones.
    real = Supplies.mark
    other = lambda self, places: {folder: (path, "other") for folder, (path, _) in real(self, places).items()}  # noqa: E731
    monkeypatch.setattr(Supplies, "mark", other)
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    places = {"keep_weights": tmp_path / "results" / "w.weights.h5", "checkpoints": tmp_path / "results" / "c"}
    todo = [replace(job, start_weights=tmp_path / "start.h5", **places) for job in jobs(faces, 10, 11)]
    lines: list[str] = []
    options: dict[str, Any] = {"workers": 0, "on_event": Events(), "cluster": Cluster(address, log=lines.append)}
    found = [*run_on_ray(tell_files, todo, mapped, plugins=(str(tmp_path / "plugin.py"),), **options)]
    assert [record.status for record in found] == ["done", "done"], [record.reason for record in found]
    for record in found:
        assert record.cost["images"] == int(faces.images.sum())
        assert str(tmp_path / "cache") in record.cost["file"] and record.cost["start"] == "start"
        assert not record.cost["checkpoints"] and record.cost["plugin"] == "1\n"
    assert (tmp_path / "results" / "w.weights.h5").read_bytes() == b"trained from start"
    assert "sent once to each of 3" in lines[0] and "results folder not shared" in lines[0]
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["content_files"], (
        "and the weights' folders are gone"
    )


def find_nothing_missing(terms: Terms, marks: Any) -> NodeFacts:
    """Stand in for the look at a node, as if the nodes that lack files had not been there yet."""
    return NodeFacts("node", "", (), True)


@needs_ray
@pytest.mark.slow
def test_a_node_that_joins_later_is_sent_what_it_lacks_when_it_has_a_run(
    faces: ImageSet, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.execution.executors.ray.inputs.look", find_nothing_missing)
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    np.save(tmp_path / "images.npy", faces.images)
    mapped = replace(faces, images=np.load(tmp_path / "images.npy", mmap_mode="r"))
    (tmp_path / "images.npy").unlink()
    options: dict[str, Any] = {"workers": 0, "plugins": (), "on_event": Events(), "cluster": Cluster(address)}
    found = [*run_on_ray(tell_files, jobs(faces, 10, 11, 12, 13), mapped, **options)]
    assert sorted(record.spec.seed for record in found) == [10, 11, 12, 13]
    assert {record.cost["images"] for record in found} == {int(faces.images.sum())}


def end_the_task(job: Job, image_set: ImageSet, report: Any, plugins: Any) -> Record:
    """Behave as if the node were lost in every run of seed 10: the process that watches over the run ends too."""
    if job.spec.seed == 10:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    return done_record(job.spec, image_set)


@needs_ray
@pytest.mark.slow
def test_a_run_that_loses_its_node_again_and_again_is_given_up(
    faces: ImageSet, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_ray, "MOST_STARTS", 2)
    events, texts = Events(), []

    def on_event(spec: Spec, event: Mapping[str, Any]) -> None:
        events(spec, event)
        texts.append(event.get("text"))

    options: dict[str, Any] = {"workers": 0, "plugins": (), "on_event": on_event, "cluster": Cluster(address)}
    found = {one.spec.seed: one for one in run_on_ray(end_the_task, jobs(faces, 10, 11), faces, **options)}
    assert {seed: record.status for seed, record in found.items()} == {10: "failed", 11: "done"}
    assert found[10].reason == "its node was lost 2 times while it ran"
    assert texts.count("its node was lost, it goes on elsewhere") == 2
    assert events.count((10, "start")) <= 3, "its own events may be lost with the process that passes them on"


@needs_ray
@pytest.mark.slow
def test_small_runs_share_a_gpu_by_fractions(faces: ImageSet, address: str) -> None:
    cluster = Cluster(address, cpus_per_run=0.5, gpus_per_run=0.5)
    options: dict[str, Any] = {"workers": 0, "plugins": (), "on_event": Events(), "cluster": cluster}
    found = [record.cost for record in run_on_ray(tell_files, jobs(faces, 10, 11, 12), faces, **options)]
    assert {(facts["gpu"], facts["growth"]) for facts in found} == {("0", "true")}
    assert len({facts["pid"] for facts in found}) == 3, "a process for each gives all memory on the GPU back"
    first, second, third = sorted(found, key=lambda facts: facts["from"])
    assert third["from"] > min(first["to"], second["to"]), "never more than two on the GPU"


#: A driver without an address, and somebody else who knocks at its cluster's door.
ALONE = '''
import os, subprocess, sys
from study.datasets.load import load
from study.execution.executors.ray.cluster import Cluster
from tests.execution.executors.clusters import run_on_ray
from tests.execution.executors.test_executors import Events, jobs
from tests.execution.executors.fake_execute import execute_in_worker

STRANGER = """
import sys
import ray
try:
    ray.init(sys.argv[1], logging_level=50, _node_ip_address="127.0.0.2")
    print("let in")
except Exception as error:
    print("refused:", type(error).__name__)
"""

if __name__ == "__main__":
    faces = load("synthetic:images=200")
    options = {"workers": 0, "plugins": (), "on_event": Events(), "cluster": Cluster(log=print)}
    for record in run_on_ray(execute_in_worker, jobs(faces, 10, 11), faces, **options):
        print(record.spec.seed, record.status, flush=True)
        if record.spec.seed == 11:
            import ray
            place = ray.get_runtime_context().gcs_address
            environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
            subprocess.run([sys.executable, "-c", STRANGER, place], env=environment, check=False)
            subprocess.run(
                [sys.executable, "-c", STRANGER, place],
                env=environment | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}, check=False,
            )
'''


@needs_ray
@pytest.mark.slow
def test_without_an_address_there_is_a_cluster_for_the_driver_that_nobody_else_gets_into(tmp_path: Path) -> None:
    (tmp_path / "alone.py").write_text(ALONE)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {"PYTHONPATH": os.getcwd(), "HOME": str(tmp_path)}
    call = [sys.executable, tmp_path / "alone.py"]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    assert "Ray: 1 node" in done.stdout and "11 done" in done.stdout
    assert done.stdout.count("refused: ") == 2 and "let in" not in done.stdout, done.stdout
    assert list((tmp_path / ".ray").glob("*")) == [], "the token is not written down"
