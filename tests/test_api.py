"""The Python API: a study's results as tables, the emotions in a picture; the examples of docs/python.md are true."""

from __future__ import annotations

import contextlib
import csv
import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import study
from study import api
from study.cli.export import app as export
from study.core.errors import UsageError
from study.core.store import Store
from tests.faces.people import background, put_face
from tests.factories import CLASSES, make_card, make_store
from tests.trained.runs import add_onnx, band_images, keep

ROOT = Path(__file__).parents[1]
HAPPY = CLASSES.index("happy")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    place = tmp_path_factory.mktemp("api") / "results"
    return make_store(
        place, "faces", models=("cnn2", "cnn3"), protocols=("baseline", "augment"), seeds=(0, 1, 2), flaws=False
    )


@pytest.fixture(scope="module")
def results(store: Store) -> api.Study:
    return study.load("faces", store.results)


def test_importing_the_package_imports_nothing_else() -> None:
    program = "import sys; before = set(sys.modules); import study; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    roots = {name.partition(".")[0] for name in done.stdout.split()}
    assert "study" in roots and not roots & {"numpy", "pandas", "tensorflow", "keras", "msgspec", "typer"}


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="laod"):
        study.laod  # noqa: B018


def test_the_examples_of_the_page_are_true(store: Store) -> None:
    place = store.results.parent
    record = keep(Store(place / "results", "pictures"), card=make_card())
    add_onnx(Store(place / "results", "pictures"), record)
    Image.fromarray(band_images(np.array([HAPPY]))[0, :, :, 0]).save(place / "face.png")
    api._runtime.cache_clear()
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8").replace("```", "")
    with contextlib.chdir(place):
        found = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(
            doctest.DocTestParser().get_doctest(page, {}, "python.md", None, 0)
        )
    assert found.attempted > 10 and not found.failed


def test_the_runs_have_the_scores_of_their_predictions(results: api.Study) -> None:
    runs = results.runs().set_index("key")
    for key in runs.index:
        answers = results.predictions(key)
        assert runs["test_accuracy"][key] == pytest.approx(answers["correct"].mean())
        counts = results.confusion(key).to_numpy()
        assert runs["test_accuracy"][key] == pytest.approx(np.trace(counts) / counts.sum())
        assert runs["validation_accuracy"][key] == pytest.approx(
            results.predictions(key, "validation")["correct"].mean()
        )


def test_the_runs_table_of_the_report_has_the_scores(store: Store, results: api.Study) -> None:
    from study.report.build import build_report

    header, first = build_report(store).tables["runs.csv"].splitlines()[:2]
    row = dict(zip(header.split(","), first.split(","), strict=True))
    runs = results.runs().set_index("key")
    assert float(row["test_accuracy"]) == pytest.approx(runs["test_accuracy"][row["key"]], rel=1e-5)


def test_probabilities_are_those_of_the_record(store: Store, results: api.Study) -> None:
    record = store.load_arrays(store.records()[0])
    answers = results.predictions(record.key)
    shown = answers[[f"p_{name}" for name in CLASSES]].to_numpy()
    np.testing.assert_array_equal(shown, record.arrays["test_probabilities"])
    assert answers["label"].tolist() == [CLASSES[place] for place in record.arrays["test_labels"]]


def test_a_comparison_is_that_of_the_leaderboard(results: api.Study) -> None:
    board = results.leaderboard().set_index(["model", "protocol"])["test_accuracy"]
    found = results.compare("cnn3/augment", "cnn2 / baseline").iloc[0]
    assert found["difference"] == pytest.approx(found["a"] - found["b"])
    assert found["b"] == pytest.approx(board["cnn2", "baseline"])
    assert found["low"] < found["difference"] < found["high"]
    back = results.compare("cnn2/baseline", "cnn3/augment").iloc[0]
    assert (back["difference"], back["p_value"]) == pytest.approx((-found["difference"], found["p_value"]))


def test_two_runs_are_compared_as_networks(results: api.Study) -> None:
    runs = results.runs()
    first, second = runs["key"][0], runs["key"][1]
    found = results.compare(first, second)
    assert set(found["statement_about"]) == {"networks"}
    scores = runs.set_index("key")["test_accuracy"]
    assert found["difference"][0] == pytest.approx(scores[first] - scores[second])
    assert results.compare(first, first)["difference"].abs().max() == 0


def test_a_recipe_with_one_seed_is_compared_as_networks(store: Store, tmp_path: Path) -> None:
    single = make_store(tmp_path, "one", models=("cnn2", "cnn3"), protocols=("baseline",), flaws=False)
    found = api.Study(single).compare("cnn2/baseline", "cnn3/baseline")
    assert set(found["statement_about"]) == {"networks"}
    assert found["difference"][0] == pytest.approx(found["a"][0] - found["b"][0])


@pytest.mark.parametrize("key", ["cnn", "vgg16-baseline"])
def test_a_run_that_is_not_one_is_refused(key: str, results: api.Study) -> None:
    with pytest.raises(UsageError, match="fits"):
        results.predictions(key)


def test_an_unknown_split_is_refused(results: api.Study) -> None:
    key = results.runs()["key"][0]
    for table in (results.predictions, results.confusion):
        with pytest.raises(UsageError, match="unknown split 'tset'"):
            table(key, "tset")


def test_a_notebook_shows_the_leaderboard(results: api.Study) -> None:
    shown = results._repr_html_()
    assert "<table" in shown and "faces" in shown and "cnn3" in shown


@pytest.fixture
def network(tmp_path: Path) -> Path:
    store = Store(tmp_path / "results", "pictures")
    add_onnx(store, keep(store))
    return store.results


def test_faces_are_found_in_arrays_images_and_files(network: Path, tmp_path: Path) -> None:
    picture = background(640, 480).copy()
    put_face(picture, 3, (300, 200), 160)
    rgb = np.ascontiguousarray(picture[:, :, ::-1])
    Image.fromarray(rgb).save(tmp_path / "in.png")
    by_array = study.predict(rgb, results=network)
    assert len(by_array) == 1 and 0 < by_array["score"][0] <= 1
    for image in (Image.fromarray(rgb), tmp_path / "in.png", str(tmp_path / "in.png")):
        assert study.predict(image, results=network).equals(by_array)


def test_a_picture_without_a_face_has_no_row_and_the_same_columns(network: Path) -> None:
    nothing = study.predict(np.zeros((300, 400), np.uint8), results=network)
    one = study.predict(np.zeros((48, 48), np.uint8), results=network)
    assert len(nothing) == 0 and len(one) == 1 and list(nothing) == list(one)
    assert nothing.attrs["network"] == one.attrs["network"] != ""


@pytest.mark.parametrize("image", [np.zeros((4, 4)), np.zeros((2, 2, 2), np.uint8), np.zeros((0, 0), np.uint8)])
def test_what_is_no_picture_is_refused(image: np.ndarray, network: Path) -> None:
    with pytest.raises(UsageError, match="predict takes uint8"):
        study.predict(image, results=network)


def test_a_file_that_is_no_picture_is_refused(network: Path, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UsageError, match="text.png"):
        study.predict(tmp_path / "text.png", results=network)


def test_the_predictions_are_written_as_a_table_without_a_formula(tmp_path: Path) -> None:
    store = Store(tmp_path / "results", "strange")
    record = keep(store, card=make_card(classes=("=1+1", *CLASSES[1:])))
    words = ["--predictions", str(tmp_path / "answers.csv"), "--results", str(store.results)]
    assert CliRunner().invoke(export, words, catch_exceptions=False).exit_code == 0
    rows = list(csv.DictReader((tmp_path / "answers.csv").open(encoding="utf-8")))
    answers = api.Study(store).predictions(record.key)
    assert len(rows) == len(answers) == len(store.load_arrays(record).arrays["test_labels"])
    assert rows[0]["p_happy"] == str(answers["p_happy"][0])
    assert {row["label"] for row in rows} == {"'=1+1", *CLASSES[1:]}
