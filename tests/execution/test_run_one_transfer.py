"""A run that starts from pretrained weights: resumed anywhere it ends the same, and a misfit costs a phase."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from study.core.files import file_sha256
from study.core.record import PREDICTIONS, Record
from study.core.registry import load_plugin
from study.core.spec import Spec, Start
from study.datasets import synthetic
from study.datasets.image_set import ImageSet
from study.execution.run_one import execute
from study.models.entry import MODELS
from study.protocols import PhasePlan, Protocol, resolve
from study.protocols.piece import part
from study.protocols.protocol import ADAM
from study.training.checkpoint import Checkpoint, checkpoints

#: Two epochs of every kind of phase.
PHASES = tuple(
    PhasePlan(what, "head" if what == "head" else "stage", what, ADAM, 3e-3, epochs=2, patience=None, monitor="brier")
    for what in ("head", "blocks:1", "all")
)
EPOCHS = 6


class Interrupt(BaseException):
    """Stands for Ctrl-C in mid-run."""


@dataclasses.dataclass
class Run:
    """One run with all that ``execute`` takes.

    Attributes:
        spec: Its spec.
        faces: Its images.
        weights: The file that it starts from.
    """

    spec: Spec
    faces: ImageSet
    weights: Path

    def __call__(self, folder: Path, stop_before: int = EPOCHS) -> tuple[Record, list[int]]:
        """Execute it and return the record with the epochs that were trained; stop before a checkpoint is written."""
        trained: list[int] = []

        def progress(event: Mapping[str, Any]) -> None:
            if event["kind"] == "epoch":
                if event["epoch"] == stop_before:
                    raise Interrupt
                trained.append(event["epoch"])

        record = execute(self.spec, self.faces, weights_path=self.weights, checkpoint_folder=folder, progress=progress)
        assert record.status == "done", record.traceback
        return record, trained


@pytest.fixture(scope="module", params=[(), (part("affine", flip=True),)], ids=["cached features", "augmented"])
def run(request: pytest.FixtureRequest, registered_models: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    import keras

    if "my_body" not in MODELS.names():
        load_plugin("experiments/plugin_body.py")
    entry, faces = MODELS.get("my_body"), synthetic.make(images=200)
    weights = tmp_path_factory.mktemp("weights") / "pretrained.weights.h5"
    keras.utils.set_random_seed(7)
    entry.builder((48, 48, 3), None).save_weights(weights)
    protocol = resolve(
        Protocol("staged", transfer=PHASES, augmentation=request.param),
        family="transfer",
        weights_source="file",
        train_images=len(faces.indices("train")),
    )
    spec = Spec(
        dataset=faces.identity,
        model=entry.identity,
        protocol=protocol,
        budget="test",
        side_px=48,
        weights=Start(source="file", sha256=file_sha256(weights)),
        precision="float32",
        backend="tensorflow",
        seed=0,
    )
    return Run(spec, faces, weights)


@pytest.fixture(scope="module")
def whole(run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, Path]:
    """Return the record of the run that nothing disturbed, and its checkpoints."""
    folder = tmp_path_factory.mktemp("whole")
    record, trained = run(folder)
    assert trained == list(range(EPOCHS))
    assert [row.phase for row in record.history] == ["head", "head", "blocks:1", "blocks:1", "all", "all"]
    return record, folder


def same(one: Record, other: Record) -> bool:
    """Return whether two records say the same of training, and predictions are equal bit for bit."""
    rows = [[replace(row, train_s=0.0, validation_s=0.0) for row in record.history] for record in (one, other)]
    return rows[0] == rows[1] and all(np.array_equal(one.arrays[name], other.arrays[name]) for name in PREDICTIONS)


@pytest.mark.parametrize("epoch", range(1, EPOCHS))
def test_a_run_resumes_at_every_epoch_of_every_phase(
    run: Run, whole: tuple[Record, Path], tmp_path: Path, epoch: int
) -> None:
    with pytest.raises(Interrupt):
        run(tmp_path, stop_before=epoch)
    record, trained = run(tmp_path)
    assert trained == list(range(epoch, EPOCHS)) and same(record, whole[0])


@pytest.mark.parametrize(("changed", "first"), [(1, 5), (2, 4), (3, 0)])
def test_an_optimizer_that_does_not_fit_costs_its_phase_and_not_the_run(
    run: Run, whole: tuple[Record, Path], tmp_path: Path, changed: int, first: int
) -> None:
    """Of the last phase's two checkpoints and the earlier phase's last one, the newest ones are of another network."""
    assert [path.name[:8] for path in checkpoints(whole[1])] == ["000003-1", "000004-2", "000005-2"]
    shutil.copytree(whole[1], tmp_path, dirs_exist_ok=True)
    for path in checkpoints(tmp_path)[-changed:]:
        path.unlink()
    for path in checkpoints(whole[1])[-changed:]:
        shutil.copy(path, tmp_path)
        state, arrays = Checkpoint(tmp_path, run.spec.key).load()  # type: ignore[misc]
        path = checkpoints(tmp_path)[-1]
        path.unlink()
        Checkpoint(tmp_path, run.spec.key).save(state["phase"], state, {**arrays, "optimizer": arrays["optimizer"][:2]})
    record, trained = run(tmp_path)
    assert trained == list(range(first, EPOCHS)) and same(record, whole[0])
    assert len(list(tmp_path.glob("*.damaged*"))) == changed
