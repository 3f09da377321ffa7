"""What is logged of a run is read back with the tracker's own library and equals the record."""

import csv
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from study.analysis.runs import score_run
from study.core.errors import UsageError
from study.core.registry import load_plugin
from study.core.store import Store
from study.trackers import TRACKERS, check_tracker, open_tracker, tracker
from study.trackers.content import content_of, flat
from tests.changed import replace
from tests.examples import example
from tests.factories import make_record
from tests.hidden import run_hidden
from tests.trained.runs import contents


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "results", "s")
    store.keep(make_record("cnn3", "augment", 1))
    store.keep(make_record("cnn2", status="failed"))
    return store


@pytest.fixture
def record(store):
    return next(store.load_arrays(one) for one in store.records() if one.status == "done")


@pytest.fixture
def report(tmp_path):
    folder = tmp_path / "reports" / "s"
    (folder / "figures").mkdir(parents=True)
    (folder / "README.md").write_text("# Study s\n", encoding="utf-8")
    (folder / "figures" / "a.png").write_bytes(b"png")
    return folder


def logged(name, store, report):
    tracker = open_tracker(name, store)
    for _ in range(2):  # the second time changes nothing
        for record in store.records():
            tracker.log(record)
        tracker.log_report(report)
    return tracker


def test_content_follows_from_the_record(record):
    content = content_of(record)
    assert content == content_of(record)
    assert content.metrics["test_accuracy"] == score_run(record).test.accuracy
    assert [point.value for point in content.curves["loss"]] == [row.loss for row in record.history]
    assert content.params["model.name"] == "cnn3" and content.params["seed"] == "1"
    times = [point.time_s for point in content.curves["loss"]]
    assert times == sorted(times) and times[0] > content.start_s
    assert f"{100 * score_run(record).test.accuracy:.1f}" in content.report


def test_nested_settings_are_flat_words():
    assert flat({"a": {"b": [1, {"c": None}]}, "d": []}) == {"a.b.0": "1", "a.b.1.c": "None", "d": ""}


def test_tensorboard_reads_what_was_logged(store, record, report):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logged("tensorboard", store, report)
    folder = store.results.parent / "tracking" / "tensorboard" / "s"
    assert sorted(path.name for path in folder.iterdir()) == sorted([record.key, "report"])
    found = accumulator.EventAccumulator(str(folder / record.key)).Reload()
    content = content_of(record)
    assert len(list((folder / record.key).iterdir())) == 1
    for name, points in content.curves.items():
        read = found.Scalars(f"curves/{name}")
        assert [one.step for one in read] == [point.epoch for point in points]
        assert [one.value for one in read] == pytest.approx([point.value for point in points], rel=1e-6)
    (accuracy,) = found.Scalars("metrics/test_accuracy")
    assert accuracy.value == pytest.approx(content.metrics["test_accuracy"])
    words = {tag: found.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in ("parameters", "report")}
    assert words["report"] == content.report
    assert all(f"| {name} | {value} |" in words["parameters"] for name, value in content.params.items())
    assert "_hparams_/session_start_info" in found.PluginTagToContent("hparams")
    study = accumulator.EventAccumulator(str(folder / "report")).Reload()
    assert study.Tensors("report")[0].tensor_proto.string_val[0].decode() == "# Study s\n"


@pytest.mark.parametrize("name", TRACKERS.names())
def test_logging_needs_no_backend(name, store, report, tmp_path):
    pytest.importorskip(name)
    code = """
import sys
from pathlib import Path
from study.core.store import Store
from study.trackers import open_tracker
store = Store(sys.argv[2], "s")
tracker = open_tracker(sys.argv[1], store)
for record in store.records():
    tracker.log(record)
tracker.log_report(Path(sys.argv[3]))
"""
    hide = ("tensorflow", "keras", "keras_cv", "jax", "torch")
    done = run_hidden(["-c", code, name, store.results, report], tmp_path, hide)
    assert done.code == 0, done.err
    assert not done.imported & set(hide)


def test_a_run_done_again_replaces_what_was_logged(store, record, report):
    pytest.importorskip("tensorboard")
    logged("tensorboard", store, report)
    store.keep(replace(record, arrays={**record.arrays, "test_flipped": record.arrays["test_probabilities"]}))
    logged("tensorboard", store, report)
    folder = store.results.parent / "tracking" / "tensorboard" / "s" / record.key
    assert len(list(folder.iterdir())) == 1


def test_mlflow_reads_what_was_logged(store, record, report, monkeypatch):
    tracking = pytest.importorskip("mlflow.tracking")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    tracker = logged("mlflow", store, report)
    place = re.search(r"sqlite:///\S+", tracker.look)[0]
    client = tracking.MlflowClient(place)
    runs = {run.info.run_name: run for run in client.search_runs([client.get_experiment_by_name("s").experiment_id])}
    assert set(runs) == {record.key, "report"}
    run, content = runs[record.key], content_of(record)
    assert run.data.params == content.params
    assert run.info.status == "FINISHED" and run.info.start_time == round(1000 * content.start_s)
    assert {name: run.data.metrics[name] for name in content.metrics} == pytest.approx(dict(content.metrics))
    for name, points in content.curves.items():
        history = sorted(client.get_metric_history(run.info.run_id, f"curve_{name}"), key=lambda one: one.step)
        assert [one.value for one in history] == pytest.approx([point.value for point in points])
    assert [one.path for one in client.list_artifacts(run.info.run_id)] == ["report.md"]
    path = client.download_artifacts(run.info.run_id, "report.md")
    assert Path(path).read_text(encoding="utf-8") == content.report
    assert {one.path for one in client.list_artifacts(runs["report"].info.run_id)} == {"README.md", "figures"}


def test_an_unknown_tracker_is_one_line():
    with pytest.raises(UsageError, match="tensorboard"):
        check_tracker("tensorbord")


def test_the_flag_is_refused_before_anything_is_planned(tmp_path):
    from study.cli.run import app

    found = CliRunner().invoke(app, ["--track", "wandb", "--results", str(tmp_path / "results")])
    assert isinstance(found.exception, UsageError) and not (tmp_path / "results").exists()


def test_trackers_are_found_by_themselves():
    assert TRACKERS.names() == ["mlflow", "tensorboard"]


def check_tracker_contract(name, store, report):
    """Check what every tracker keeps."""
    files = []
    for _ in range(2):
        tracker = open_tracker(name, store)
        for record in store.records():  # one of them has failed
            tracker.log(record)
        files.append(contents(store.results.parent / "tracking").keys())
    assert files[0] and files[1] == files[0], "what is logged already is not logged again"
    tracker.log_report(report)
    assert tracker.look and "\n" not in tracker.look


@pytest.mark.parametrize("name", TRACKERS.names())
def test_every_tracker_keeps_the_contract(name, store, report, monkeypatch):
    pytest.importorskip(TRACKERS.get(name).needs)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    check_tracker_contract(name, store, report)


@pytest.fixture
def own_trackers(monkeypatch):
    """Forget afterwards what a test registers."""
    TRACKERS.names()
    monkeypatch.setattr(TRACKERS, "_entries", dict(TRACKERS._entries))
    monkeypatch.setattr(TRACKERS, "_files", dict(TRACKERS._files))


def test_the_tracker_of_the_documentation_keeps_the_contract_and_logs(store, record, report, tmp_path, own_trackers):
    load_plugin(example(tmp_path, "add-an-executor-or-tracker", "@tracker"))
    check_tracker_contract("csv", store, report)
    (row,) = csv.reader((store.results.parent / "tracking" / "s.csv").read_text().splitlines())
    assert row[0] == record.key and float(row[2]) == pytest.approx(next(iter(content_of(record).metrics.values())))


def test_a_package_that_is_missing_is_named_with_what_installs_it(own_trackers):
    tracker("mine", needs="no_such_package")(type("Log", (), {"__module__": __name__}))
    with pytest.raises(UsageError, match="needs the package no_such_package: python -m pip install no_such_package"):
        check_tracker("mine")
