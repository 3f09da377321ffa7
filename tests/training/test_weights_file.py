"""Weights files: written whole or not at all, and never others than the spec names."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from study.core.errors import WeightsError, WriteError
from study.core.files import file_sha256
from study.core.spec import Start
from study.training.weights_file import check_start, save_weights


@pytest.fixture(scope="module")
def model() -> object:
    import keras

    inputs = keras.Input((8, 8, 1))
    outputs = keras.layers.Dense(3)(keras.layers.Flatten()(keras.layers.BatchNormalization()(inputs)))
    return keras.Model(inputs, outputs)


def test_saved_weights_are_loaded_as_any_others_and_their_hash_is_the_files(model: object, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "run.weights.h5"
    before = model.get_weights()  # type: ignore[attr-defined]
    assert save_weights(model, path) == file_sha256(path) == save_weights(model, path)
    model.set_weights([0 * weight for weight in before])  # type: ignore[attr-defined]
    model.load_weights(path)  # type: ignore[attr-defined]
    assert all((new == old).all() for new, old in zip(model.get_weights(), before, strict=True))  # type: ignore[attr-defined]


def test_a_file_of_a_compiled_model_holds_no_optimizer(model: object, tmp_path: Path) -> None:
    import keras

    save_weights(model, tmp_path / "plain.weights.h5")
    compiled = keras.Model(model.inputs, model.outputs)  # type: ignore[attr-defined]
    compiled.compile(keras.optimizers.Adam(), "mse")
    compiled.optimizer.build(compiled.trainable_variables)
    save_weights(compiled, tmp_path / "compiled.weights.h5")
    with h5py.File(tmp_path / "plain.weights.h5") as one, h5py.File(tmp_path / "compiled.weights.h5") as two:
        assert set(one) == set(two) and not any("optimizer" in name for name in two)


def test_on_a_full_disk_the_old_file_stays_and_the_process_too(
    model: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    save_weights(model, tmp_path / "run.weights.h5")
    old = (tmp_path / "run.weights.h5").read_bytes()
    with monkeypatch.context() as patch, pytest.raises(WriteError, match="No space left"):
        patch.setattr("os.write", full)
        save_weights(model, tmp_path / "run.weights.h5")
    assert (tmp_path / "run.weights.h5").read_bytes() == old and len(list(tmp_path.iterdir())) == 1


def test_a_file_to_start_from_that_was_changed_since_the_plan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "start.weights.h5"
    path.write_bytes(b"weights")
    spec = Start(source="file", sha256=file_sha256(path))
    check_start(spec, path)
    check_start(Start(source="none"), None)
    path.write_bytes(b"weight5")
    with pytest.raises(WeightsError, match="changed since the run was planned"):
        check_start(spec, path)
