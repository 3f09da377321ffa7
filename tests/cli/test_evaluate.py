"""The verb evaluate: a stored run on a folder of someone else's faces, without TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from study.analysis.evaluations import all_evaluations
from study.cli.evaluate import app
from study.core.errors import DataError, UsageError
from study.core.spec import SPLITS
from study.core.store import Store
from study.datasets.load import load
from study.trained.images import prepare
from study.trained.winner import open_run
from tests.factories import CLASSES
from tests.trained.runs import add_onnx, band_images, contents, keep

FOLDERS = {"Anger": 0, "happiness": 3, "sad": 4, "contempt": 6}


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    store = Store("results", "faces")
    add_onnx(store, keep(store, "cnn3", skill=3.0))
    keep(store, "cnn2", skill=0.1)
    rng = np.random.default_rng(0)
    for name, answered in FOLDERS.items():
        folder = tmp_path / "others" / name
        folder.mkdir(parents=True)
        for number, image in enumerate(band_images(np.full(12, answered), side=96)):
            noisy = np.clip(image[..., 0] + rng.normal(0, 4, (96, 96)), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(folder / f"{number}.png")


def run(*words: str) -> str:
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def page(output: str) -> str:
    return Path(output.strip().splitlines()[-1].removeprefix("Evaluation: ")).read_text()


def test_the_best_run_is_scored_and_what_it_does_not_know_is_said() -> None:
    before = contents(Path("results"))
    output = run("--data", "others")
    assert contents(Path("results")).items() >= before.items()
    assert output.startswith("Run: cnn3-baseline-seed_0-")
    assert "Left out: 12 images of class contempt" in output and "Accuracy on 36 images of others: 100.0 %" in output
    assert "computed with onnx" in page(output)


def test_images_that_the_run_has_met_are_counted() -> None:
    assert "Met in training" not in run("--data", "others")
    store, record = open_run("results")
    met = prepare(store, record, load("others")).hashes
    own = np.array([f"own {place}".encode() for place in range(len(store.load_arrays(record).arrays["test_labels"]))])
    splits = np.repeat([SPLITS.index("train"), SPLITS.index("test")], [len(met), len(own)])
    hashes = np.concatenate([met, own])
    store.keep_dataset({"labels": np.zeros_like(splits), "ids": hashes.astype(str), "splits": splits, "hashes": hashes})
    assert "Met in training or validation: 36 of these images" in run("--data", "others")


def test_a_table_gives_the_rest_a_meaning() -> None:
    Path("map.csv").write_text("contempt,neutral\n")
    output = run("--data", "others", "--map", "map.csv")
    assert "Left out" not in output and "Accuracy on 48 images of others: 100.0 %" in output
    assert "contempt: taken as neutral" in page(output)


def test_one_split_can_be_chosen() -> None:
    assert "its test split" in page(run("--data", "others", "--split", "test"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--split", "tset"), "Did you mean test"),
        (("--run", "cnn5"), "fits no finished run"),
        (("--map", "none.toml"), "cannot be read"),
    ],
)
def test_slips_are_one_line(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        CliRunner().invoke(app, ["--data", "others", *words], catch_exceptions=False)


def own_dataset(store: Store) -> Path:
    """Store a run on images that the network of ``add_onnx`` answers rightly, and return the images' folder."""
    labels = np.arange(280) % 7
    images = band_images(labels)
    images[:, 0, 0, 0] = np.arange(280) % 251  # few are identical
    for place, (label, image) in enumerate(zip(labels.tolist(), images[..., 0], strict=True)):
        folder = Path("own", SPLITS[(place // 7) % 3], CLASSES[label])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{place:03}.png")
    card = load("own").card()
    add_onnx(store, keep(store, "cnn3", skill=3.0, card=card))
    return Path("own")


def test_corruptions_of_the_test_split_are_scored_and_kept_for_the_report() -> None:
    store = Store("results", "robust")
    words = ("--study", "robust", "--corruptions", "--data", str(own_dataset(store)), "--data", "others")
    output = run(*words)
    assert "Mean corruption error:" in output and "clean 0.0 %" in output
    assert "| rotation" in page(output) and "Accuracy on 36 images of others" in output
    (found,) = all_evaluations(store, store.records())
    assert list(found.elsewhere) == ["others, all"]
    assert found.robustness is not None and len(found.robustness.errors) == 10
    assert found.robustness.mean[0] > found.robustness.clean[0] == 0
    assert run(*words) == output, "seeded"


def test_without_its_own_images_there_is_nothing_to_corrupt() -> None:
    with pytest.raises(DataError, match="is needed and not in data/"):
        CliRunner().invoke(app, ["--corruptions", "--data", "others"], catch_exceptions=False)


def test_subgroups_are_those_of_the_file() -> None:
    ids = load("others").ids.tolist()
    lines = [f"{one},{'left' if place % 2 else 'right'}" for place, one in enumerate(ids)]
    Path("groups.csv").write_text("\n".join(["image,side", *lines]) + "\n")
    output = run("--data", "others", "--slices", "groups.csv")
    assert "side = left: 100.0 % of 18" in output and "side = right: 100.0 % of 18" in output
    assert "## Subgroups" in page(output) and "guesses no groups" in page(output)
