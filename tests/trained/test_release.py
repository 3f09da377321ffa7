"""The package's own network: made from a run, measured against it, and used where nothing better was trained here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from study.core.errors import DataError, UsageError, WeightsError
from study.core.record import Record
from study.core.store import Store
from study.datasets import synthetic
from study.datasets.image_set import ImageSet
from study.trained import release
from study.trained.model_card import write_release_card
from study.trained.release import (
    MANIFEST,
    MODEL,
    choose_network,
    find_release,
    make_release,
    open_network,
    open_release,
)
from study.trained.runtime import open_keras
from tests.factories import make_card
from tests.trained.runs import add_onnx, keep, real_run, register_small


@pytest.fixture(scope="module")
def faces(registered_models: None) -> ImageSet:
    register_small()
    return synthetic.make(images=300)


@pytest.fixture(scope="module")
def made(faces: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Record, Path, list[str]]:
    place = tmp_path_factory.mktemp("release")
    store = Store(place / "results", "faces")
    record = real_run(store, faces)
    said: list[str] = []
    found = make_release(store, record, faces, said.append, place / "released")
    write_release_card(store, record, found, place / "released")
    return store, record, place / "released", said


@pytest.fixture
def package(made: tuple[Store, Record, Path, list[str]], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(release, "FOLDER", made[2])
    return made[2]


def test_it_answers_nearly_as_the_run_does(made: tuple[Store, Record, Path, list[str]], faces: ImageSet) -> None:
    store, record, folder, _ = made
    found, runtime = find_release(folder), open_release(folder)
    assert found is not None and runtime is not None
    places = np.concatenate([faces.indices("validation"), faces.indices("test")])
    images = np.ascontiguousarray(faces.images[places])
    own, answers = open_keras(store, record).probabilities(images), runtime.probabilities(images)
    assert found.images == len(images)
    assert found.largest_difference == pytest.approx(np.abs(own - answers).max(), rel=0.05)
    assert 0 < found.largest_difference < 0.01
    assert (own.argmax(axis=1) == answers.argmax(axis=1)).mean() == found.agreement >= 0.99


def test_it_says_what_it_is_and_how_it_differs(made: tuple[Store, Record, Path, list[str]]) -> None:
    _, record, folder, said = made
    runtime = open_release(folder)
    assert runtime is not None and runtime.key == record.key and runtime.unsure_below > 0
    assert runtime.origin.startswith("the released network, small under baseline, trained on")
    assert "drawn faces" in runtime.notice
    assert "largest difference" in said[0] and "test accuracy" in said[0]
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "half precision" in card and "the run's own label" in card and "within 0.001" not in card
    assert record.key in card and "Not converged" not in card.partition("## Files")[0]


def test_the_file_has_half_the_size_and_nothing_else_is_left(
    made: tuple[Store, Record, Path, list[str]], tmp_path: Path
) -> None:
    import onnx

    folder = made[2]
    assert sorted(path.name for path in folder.iterdir()) == ["MODEL_CARD.md", MODEL, MANIFEST]
    kinds = {one.data_type for one in onnx.load(folder / MODEL).graph.initializer if np.prod(one.dims) >= 64}
    assert kinds == {onnx.TensorProto.FLOAT16}


@pytest.mark.parametrize(
    ("bound", "value", "act"),
    [("MOST_BYTES", 1000, "release a smaller network"), ("LEAST_AGREEMENT", 1.1, "release another run")],
    ids=["too large", "other labels"],
)
def test_a_network_out_of_bounds_is_refused_and_leaves_nothing(
    bound: str,
    value: float,
    act: str,
    made: tuple[Store, Record, Path, list[str]],
    faces: ImageSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(release, bound, value)
    with pytest.raises(UsageError, match=act):
        make_release(made[0], made[1], faces, lambda line: None, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_an_altered_file_is_refused(made: tuple[Store, Record, Path, list[str]], tmp_path: Path) -> None:
    for path in made[2].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / MODEL).write_bytes((made[2] / MODEL).read_bytes() + b"more")
    with pytest.raises(WeightsError, match="model.onnx was altered"):
        open_release(tmp_path)
    (tmp_path / MANIFEST).write_text("{}")
    with pytest.raises(WeightsError, match="not as it was written"):
        open_release(tmp_path)


def test_without_a_run_trained_here_it_is_used(package: Path, tmp_path: Path) -> None:
    study, runtime = choose_network(tmp_path / "results", None, None)
    assert study is None and runtime is not None and "released" in runtime.origin


def test_records_without_weights_are_no_networks(package: Path, tmp_path: Path) -> None:
    store = Store(tmp_path, "committed")
    store.weights_path(keep(store).spec).unlink()
    assert choose_network(tmp_path, None, None)[1] is not None


def test_a_run_trained_on_photographs_is_preferred(package: Path, tmp_path: Path) -> None:
    keep(Store(tmp_path, "photographs"))
    keep(Store(tmp_path, "drawn"), card=make_card(drawn=True))
    assert choose_network(tmp_path, None, None) == ("photographs", None)


def test_a_run_trained_on_drawn_faces_is_used_when_it_is_named(package: Path, tmp_path: Path) -> None:
    record = keep(Store(tmp_path, "drawn"), card=make_card(drawn=True))
    assert choose_network(tmp_path, None, None)[1] is not None
    assert choose_network(tmp_path, "drawn", None) == ("drawn", None)
    assert choose_network(tmp_path, None, record.key) == (None, None)


def test_without_a_released_network_any_run_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "FOLDER", tmp_path / "none")
    assert open_release() is None
    assert choose_network(tmp_path, None, None) == (None, None)


def test_it_stands_in_for_the_run_that_it_was_made_from(
    package: Path, made: tuple[Store, Record, Path, list[str]], tmp_path: Path
) -> None:
    store = Store(tmp_path, "elsewhere")
    record = store.keep(made[1])
    assert open_network(store, record).origin.startswith("the released network")
    assert open_network(made[0], made[1]).kind == "keras", "weights that are here come first"
    other = keep(Store(tmp_path, "other"))
    Store(tmp_path, "other").weights_path(other.spec).unlink()
    with pytest.raises(WeightsError, match="train this run again"):
        open_network(Store(tmp_path, "other"), other)


def test_the_card_in_the_package_is_that_of_the_committed_record(tmp_path: Path) -> None:
    store, found = Store("results", "published/fer2013-best"), find_release()
    assert found is not None
    record = next(one for one in store.records() if one.key == found.key)
    write_release_card(store, record, found, tmp_path)
    card = (release.FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.split() == (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8").split()
    assert "## Robustness" in card


def test_predict_says_which_network_it_uses(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import study
    from study import api
    from study.cli.options import opened_runtime

    monkeypatch.chdir(tmp_path)
    api._runtime.cache_clear()
    faces = study.predict(np.full((48, 48), 90, np.uint8))
    assert faces.attrs["network"].startswith("the released network") and "drawn faces" in faces.attrs["notice"]
    assert opened_runtime(Path("results"), None, None, None).kind == "onnx"
    assert "Network: the released network, small under baseline" in capsys.readouterr().err
    store = Store(tmp_path / "results", "own")
    record = keep(store)
    add_onnx(store, record)
    assert opened_runtime(Path("results"), None, None, None).key == record.key
    assert f"Network: {record.key} of study own" in capsys.readouterr().err


def test_the_command_writes_it_and_needs_the_runs_images(
    made: tuple[Store, Record, Path, list[str]], faces: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from study.cli import export
    from study.trained import images

    words = ["--release", "--results", str(made[0].results), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(images, "study_images", lambda *given: None)
    with pytest.raises(DataError, match="with --data PATH"):
        CliRunner().invoke(export.app, words, catch_exceptions=False)
    monkeypatch.setattr(images, "study_images", lambda *given: faces)
    done = CliRunner().invoke(export.app, words, catch_exceptions=False)
    assert done.exit_code == 0 and f"Released network: {tmp_path / 'out'}" in done.output.replace("\n", "")
    written, earlier = find_release(tmp_path / "out"), find_release(made[2])
    assert written is not None and earlier is not None
    assert (written.largest_difference, written.title) == (earlier.largest_difference, earlier.title)
