"""The verbs export, explain and retrain on a small real network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from study.cli import explain, export, retrain
from study.core.errors import UsageError, WeightsError
from study.core.record import Record
from study.core.store import Store
from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.trained.winner import data_words
from tests.trained.runs import contents, real_run, register_small

FACES = "synthetic:images=300"


@pytest.fixture(scope="module")
def faces(registered_models: None) -> ImageSet:
    register_small()
    return load(FACES)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(tmp_path)
    return Store("results", "faces")


@pytest.fixture
def record(store: Store, faces: ImageSet) -> Record:
    return real_run(store, faces)


def run(app: object, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, words, catch_exceptions=False)  # type: ignore[arg-type]
    assert result.exit_code == code, result.output
    return result.output


def test_export_says_the_difference_and_where_the_card_is(record: Record, store: Store) -> None:
    output = run(export.app, "--format", "keras")
    assert f"Run: {record.key} of study faces" in output and "drawn faces" in output
    assert "on 30 images of synthetic-300's validation split" in output
    assert "largest difference" in output
    card = Path(output.strip().splitlines()[-1].removeprefix("Model card: "))
    assert record.key in card.read_text() and (card.parent / "model.keras").is_file()


def test_export_goes_where_it_is_told(record: Record, tmp_path: Path) -> None:
    run(export.app, "--format", "h5", "--out", "deploy", "--data", FACES)
    assert sorted(contents(tmp_path / "deploy")) == ["MODEL_CARD.md", "export.json", "model.h5"]


def test_export_needs_nothing_more_than_the_study_does(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    from study.trained import formats

    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    output = run(export.app)
    assert "Without litert and onnx, whose packages come with `python -m pip install" in output
    assert "model.keras" in output and "model.onnx" not in output
    with pytest.raises(UsageError, match=r"ai_edge_litert.*--format keras,h5,savedmodel"):
        run(export.app, "--int8")


def test_export_of_missing_weights_names_the_command_before_anything_slow(record: Record, store: Store) -> None:
    store.weights_path(record.spec).unlink()
    with pytest.raises(WeightsError, match="study retrain --run small-baseline"):
        run(export.app, "--format", "keras")


def test_export_into_a_file_is_refused_before_anything_slow(record: Record, store: Store) -> None:
    Path("deploy").touch()
    output = run(export.app, "--out", "deploy", code=2)
    assert "'--out'" in output and "is a file" in output and "Run:" not in output


def test_explain_draws_a_panel_a_class(record: Record, faces: ImageSet) -> None:
    output = run(explain.app)
    pictures = sorted(path.name for path in Path("reports/faces/local").iterdir())
    assert pictures == sorted(f"gradcam-{record.key}-{name}.png" for name in faces.classes)
    assert all(name in output for name in pictures) and "drawn faces" in output


def test_explain_needs_the_images(store: Store, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    from study.trained import images

    monkeypatch.setattr(images, "study_images", lambda *_: None)
    with pytest.raises(UsageError, match="give --data PATH"):
        run(explain.app)


def test_retrain_leaves_a_run_with_weights_alone(record: Record, store: Store) -> None:
    before = contents(store.folder)
    assert "nothing to do" in run(retrain.app)
    assert contents(store.folder) == before


def test_retrain_makes_weights_that_fit_the_new_record(record: Record, store: Store, faces: ImageSet) -> None:
    from study.trained.runtime import open_runtime

    store.weights_path(record.spec).unlink()
    output = run(retrain.app, "--run", record.key, "--data", data_words(record.dataset))
    assert "validation accuracy" in output and "study report faces" in output
    (made,) = store.records()
    assert made.key == record.key and made.predictions_sha256 != record.predictions_sha256
    answers = open_runtime(store, made).probabilities(np.asarray(faces.images[faces.indices("test")]))
    assert np.abs(answers - store.load_arrays(made).arrays["test_probabilities"]).max() < 1 / 256
    assert not store.checkpoint_folder(made.spec).exists()
    assert "nothing to do" in run(retrain.app)


def test_a_failed_retraining_keeps_the_record(record: Record, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import study.training.loop

    def fail(self: object) -> None:
        raise RuntimeError("no more memory")

    store.weights_path(record.spec).unlink()
    monkeypatch.setattr(study.training.loop.Training, "run", fail)
    assert "no more memory" in run(retrain.app, code=1)
    assert [kept.status for kept in store.records()] == ["done"]


def test_retrain_refuses_other_data(record: Record, store: Store) -> None:
    store.weights_path(record.spec).unlink()
    with pytest.raises(Exception, match="must be the dataset of"):
        run(retrain.app, "--data", "synthetic:images=310")
