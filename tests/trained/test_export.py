"""Exports answer as the run does, are refused where they do not, and need nothing of this project."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from study.core.errors import UsageError, WeightsError
from study.core.record import Record
from study.core.store import Store
from study.datasets import synthetic
from study.datasets.image_set import ImageSet
from study.trained import convert, formats
from study.trained.export import Exporter, export_all
from study.trained.formats import CHOICES, FORMATS, MANIFEST, export_folder, find_exports, select_formats
from study.trained.images import Sample
from study.trained.model_card import write_card
from study.trained.runtime import open_keras, open_runtime
from tests.changed import replace
from tests.hidden import run_hidden
from tests.trained.runs import contents, real_run, register_small, register_small_transfer


@pytest.fixture(scope="module")
def faces(registered_models: None) -> ImageSet:
    register_small()
    return synthetic.make(images=300)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results", "faces")


@pytest.fixture
def record(store: Store, faces: ImageSet) -> Record:
    return real_run(store, faces)


@pytest.fixture
def exporter(store: Store, record: Record, faces: ImageSet) -> Exporter:
    return make(store, record, faces)


def make(store: Store, record: Record, faces: ImageSet, folder: Path | None = None) -> Exporter:
    sample = Sample(faces.images[faces.indices("validation")], "its validation split", faces)
    return Exporter(store, record, folder or export_folder(store, record), sample)


def test_an_onnx_export_answers_as_the_run_does(exporter: Exporter, store: Store, record: Record) -> None:
    entry = exporter.write("onnx")
    assert entry["largest_difference"] < 1e-5 and entry["checked_on"] == "its validation split"
    assert find_exports(store, record)["onnx"].intact()
    runtime = open_runtime(store, record)
    images = exporter.sample.images
    assert runtime.kind == "onnx"
    assert np.abs(runtime.probabilities(images) - record.arrays["validation_probabilities"]).max() < 1e-4
    assert np.ptp(runtime.probabilities(images), axis=0).max() > 0.1, "answers that never differ prove nothing"
    kept = open_keras(store, record)
    assert kept.kind == "keras" and np.abs(kept.probabilities(images) - runtime.probabilities(images)).max() < 1e-5


def test_an_export_that_answers_otherwise_is_not_kept(
    exporter: Exporter, store: Store, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_other(model: object, path: Path) -> None:
        weights = model.get_weights()  # type: ignore[attr-defined]
        model.set_weights([1.02 * weight for weight in weights])  # type: ignore[attr-defined]
        convert.write_keras(model, path)
        model.set_weights(weights)  # type: ignore[attr-defined]

    monkeypatch.setitem(convert.WRITERS, "h5", write_other)  # type: ignore[arg-type]
    said: list[str] = []
    with pytest.raises(UsageError, match="as h5 must give the run's own probabilities within 0.001"):
        export_all(exporter, ["h5", "keras"], lambda kind, entry: said.append(kind))
    assert said == ["keras"], "one that is refused must not stop the others"
    assert sorted(contents(export_folder(store, record))) == [MANIFEST, "model.keras"]


def test_a_converter_that_fails_is_one_line_and_leaves_nothing(
    exporter: Exporter, store: Store, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(model: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("no such operation\nand much more")

    monkeypatch.setitem(convert.WRITERS, "onnx", fail)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no such operation") as caught:
        exporter.write("onnx")
    assert "\n" not in str(caught.value)
    assert contents(export_folder(store, record)) == {}


def test_later_formats_join_earlier_ones_of_the_same_weights(
    exporter: Exporter, store: Store, record: Record, faces: ImageSet
) -> None:
    exporter.write("keras")
    make(store, record, faces).write("h5")
    assert set(find_exports(store, record)) == {"keras", "h5"}
    path = store.weights_path(record.spec)
    path.write_bytes(path.read_bytes() + b"\0")  # the same network in another file
    again = store.keep(replace(record, weights_sha256=""))
    make(store, again, faces).write("h5")
    assert set(find_exports(store, again)) == {"h5"}
    assert not (export_folder(store, record) / "model.keras").exists()


def test_a_folder_of_another_run_is_left_alone(
    exporter: Exporter, store: Store, record: Record, faces: ImageSet, tmp_path: Path
) -> None:
    make(store, record, faces, tmp_path / "out").write("keras")
    manifest = json.loads((tmp_path / "out" / MANIFEST).read_text())
    (tmp_path / "out" / MANIFEST).write_text(json.dumps(manifest | {"key": "another-run"}))
    with pytest.raises(UsageError, match="another-run"):
        make(store, record, faces, tmp_path / "out")


def test_weights_of_another_training_are_refused(store: Store, record: Record, faces: ImageSet) -> None:
    shuffled = record.arrays | {"validation_probabilities": record.arrays["validation_probabilities"][:, ::-1]}
    with pytest.raises(WeightsError, match="must give its stored predictions"):
        make(store, store.keep(replace(record, arrays=shuffled)), faces)


def test_int8_needs_training_images(store: Store, record: Record, faces: ImageSet) -> None:
    sample = Sample(faces.images[:8], "drawn faces", None)
    with pytest.raises(UsageError, match="--data PATH"):
        Exporter(store, record, export_folder(store, record), sample).write("litert-int8")


def test_formats_come_in_one_order_and_slips_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert select_formats(("onnx", "keras", "onnx"), int8=True) == ("keras", "onnx", "litert-int8")
    with pytest.raises(UsageError, match="Did you mean onnx"):
        select_formats(("onx",))
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else object())
    with pytest.raises(UsageError, match=r"\(tf2onnx\).*pip install .*\[export\]"):
        select_formats(("onnx",))
    assert select_formats(("keras", "litert")) == ("keras", "litert")


@pytest.mark.slow
def test_every_format_runs_by_the_lines_of_the_card_without_this_project(
    exporter: Exporter, store: Store, record: Record, tmp_path: Path
) -> None:
    export_all(exporter, [*CHOICES, "litert-int8"], lambda kind, entry: None)
    differences = {kind: entry["largest_difference"] for kind, entry in exporter.entries.items()}
    assert all(difference < 1e-4 for kind, difference in differences.items() if kind != "litert-int8"), differences
    assert differences["litert-int8"] < 0.3
    folder = export_folder(store, record)
    card = write_card(store, record, folder, exporter.entries).read_text()
    image = exporter.sample.images[0]
    Image.fromarray(image[..., 0]).save(folder / "face.png")
    start, *calls = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(calls) == len(FORMATS)
    expected = record.arrays["validation_probabilities"][0]
    for form, lines in zip(FORMATS.values(), calls, strict=True):
        code = f"{start}\n{lines}\nprint(*map(float, np.ravel(probabilities)[-7:]))"
        done = run_hidden(["-c", code], tmp_path / form.file, ("study",), cwd=folder)
        assert done.code == 0, f"{form.title}: {done.err}"
        found = np.array(done.out.strip().splitlines()[-1].split(), np.float32)
        assert np.abs(found - expected).max() < (0.3 if "int8" in form.file else 1e-4), form.title


@pytest.mark.slow
def test_a_transfer_network_with_enlarging_is_exported_in_every_format(store: Store, faces: ImageSet) -> None:
    register_small_transfer()
    exporter = make(store, real_run(store, faces, "small-transfer"), faces)
    export_all(exporter, CHOICES, lambda kind, entry: None)
    assert set(exporter.entries) == set(CHOICES)
    assert max(entry["largest_difference"] for entry in exporter.entries.values()) < 1e-4
