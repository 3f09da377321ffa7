"""The training loop: phases of epochs with plateau, stopping and best weights, resumable at every epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from study.core.errors import TrainingError
from study.core.record import Epoch
from study.core.spec import Copies, Part, Phase, RunProtocol
from study.protocols.piece import AVERAGES, LOSSES, OPTIMIZERS, SCHEDULES, part
from study.protocols.stopping import PlateauState, Stopping, restore, state
from study.training.backend import on_tensorflow, reseed_layers
from study.training.build import Network
from study.training.checkpoint import Checkpoint
from study.training.copies import with_copies
from study.training.features import FeatureCache, fixed, head
from study.training.feed import Feed
from study.training.layerwise import block_factors, with_factors
from study.training.monitor import brier_score, log_loss
from study.training.predict import Predictor
from study.training.steps import Steps
from study.training.test_monitor import TestMonitor

CONSTANT, CROSS_ENTROPY = part("constant"), part("cross-entropy")
Progress = Callable[[dict[str, Any]], None]


def compiled_steps(model: Any, optimizer: Any, loss: Part = CROSS_ENTROPY, average: Part | None = None) -> Steps:
    """Compile a model with its optimizer's variables made, and return the steps that train it."""
    model.compile(
        optimizer=optimizer,
        loss=LOSSES.make(loss).function(),
        metrics=["accuracy"],
        jit_compile=False if on_tensorflow() else "auto",
    )
    model.optimizer.build(model.trainable_variables)
    return Steps(model, AVERAGES.make(average) if average else None)


@dataclass(frozen=True)
class Subject:
    """What a phase trains: the whole network on images, or its head on features of the frozen body."""

    model: Any  #: keras.Model that is compiled; its layers are the network's own.
    feed: Feed  #: Its training batches.
    predictor: Predictor  #: Inference with it.
    validation: NDArray[Any]  #: The validation split as it takes it.


class Training:
    """One run's training.

    Args:
        network: The network; its weights are changed and end as the best ones.
        feed: The training batches.
        validation_images: uint8 (m, h, w, c).
        validation_labels: int64 (m,).
        protocol: Resolved protocol.
        seed: Seed of the run.
        predictor: Inference with the network.
        checkpoint: Where to resume from and to save to.
        progress: Called with events ``phase``, ``epoch`` and ``note`` (a line for a person).
        features: Where features of a frozen body come from.
        test_monitor: Looks at the test split after every epoch, where the protocol declares that.
    """

    def __init__(
        self,
        network: Network,
        feed: Feed,
        validation_images: NDArray[np.uint8],
        validation_labels: NDArray[np.int64],
        protocol: RunProtocol,
        seed: int,
        predictor: Predictor,
        checkpoint: Checkpoint,
        progress: Progress,
        features: FeatureCache,
        test_monitor: TestMonitor | None = None,
    ) -> None:
        self.network = network
        self.feed = feed
        self.validation_labels = validation_labels
        self.protocol = protocol
        self.phases = protocol.phases
        self.seed = seed
        self.features = features
        self.subject = self.whole = Subject(network.model, feed, predictor, validation_images)
        self.checkpoint = checkpoint
        self.progress = progress
        self.test_monitor = test_monitor
        self.history: list[Epoch] = []
        self.best: list[NDArray[Any]] = []
        self.best_epoch = -1
        self.stopped: list[Literal["patience", "budget"]] = []
        self._compiled_for: Phase | None = None

    def run(self) -> None:
        """Train every phase; afterwards the network holds the weights that the last phase kept.

        Each phase starts from the kept weights of the one before. The last checkpoint stays until the record is stored.

        Raises:
            TrainingError: the loss is no finite number.
        """
        first, resumed = self._resume()
        for number in range(first, len(self.phases)):
            self._phase(number, resumed if number == first else None)

    def _phase(self, number: int, resumed: dict[str, Any] | None) -> None:
        phase = self.phases[number]
        plateau = PlateauState(phase.plateau.factor, phase.plateau.patience) if phase.plateau else None
        stopping = Stopping(phase.patience)
        schedule = SCHEDULES.make(phase.schedule)
        done = 0
        if resumed:
            done = resumed["updates"]
            stopping = restore(Stopping, resumed["stopping"])
            plateau = restore(PlateauState, resumed["plateau"]) if plateau else None
        else:
            self._compile(phase)
        self.progress({"kind": "phase", "phase": phase.name, "epochs": self.most_epochs()})
        while done < phase.updates and not stopping.stop:
            count = min(phase.updates_per_epoch, phase.updates - done)
            scale = plateau.scale if plateau else 1.0
            rates = [
                scale * schedule.rate(phase.rate, update, phase.updates, phase.updates_per_epoch)
                for update in range(done, done + count)
            ]
            row = self._epoch(phase, rates, done)
            done += count
            watched = {"loss": row.validation_loss, "brier": row.validation_brier, "last": -row.epoch}[phase.monitor]
            if stopping.update(row.epoch, float(watched or 0.0)):
                self.best, self.best_epoch = self._weights(), row.epoch
            if self.test_monitor:
                self.test_monitor.look(row.epoch, self._weights)
            self._set_weights(self._raw)
            if plateau:
                plateau.update(float(watched or 0.0))
            self.progress(
                {
                    "kind": "epoch",
                    "phase": phase.name,
                    "epoch": row.epoch,
                    "epochs": self.most_epochs(),
                    "row": row.to_json(),
                    "best": max(line.validation_accuracy for line in self.history),
                }
            )
            if self.checkpoint.wants(row.train_s + row.validation_s):
                self._save(number, done, stopping, plateau)
        self.stopped.append("patience" if done < phase.updates else "budget")
        self._set_weights(self.best)

    def _epoch(self, phase: Phase, rates: Sequence[float], done: int) -> Epoch:
        """Train an epoch and look at the validation split; afterwards the network holds the averaged weights.

        ``self._raw`` are the weights to go on training with; without an average they are the same.
        """
        epoch = len(self.history)
        before = self.history[-1].updates if self.history else 0
        reseed_layers(self.network.model, self.seed, epoch)
        start = time.perf_counter()
        logs = self._steps.run(self.subject.feed.epoch(epoch, before, len(rates)), rates, done)
        self._raw = self._weights()
        if phase.average:
            for weight, value in zip(self.subject.model.weights, self._steps.averages(), strict=True):
                weight.assign(value)
        middle = time.perf_counter()
        probabilities = self.subject.predictor(self.subject.validation)
        row = Epoch(
            phase=phase.name,
            epoch=epoch,
            updates=before + len(rates),
            rate=rates[0],
            loss=logs["loss"],
            accuracy=logs["accuracy"],
            validation_loss=log_loss(probabilities, self.validation_labels),
            validation_brier=brier_score(probabilities, self.validation_labels),
            validation_accuracy=float((probabilities.argmax(axis=1) == self.validation_labels).mean()),
            train_s=middle - start,
            validation_s=time.perf_counter() - middle,
        )
        if not np.isfinite([row.loss, row.validation_loss]).all():
            raise TrainingError(
                f"the loss became NaN or infinite in epoch {epoch + 1} ({phase.name}, rate {rates[0]:g}): lower the "
                "learning rate."
            )
        self.history.append(row)
        return row

    def _compile(self, phase: Phase) -> None:
        """Compile for a phase; where nothing differs but its length and rates only the optimizer starts afresh."""
        wanted = replace(phase, name="", kind="", rate=0.0, updates=1, updates_per_epoch=1, schedule=CONSTANT)
        if wanted == self._compiled_for and not phase.average:
            for variable in self.subject.model.optimizer.variables:
                variable.assign(np.zeros(variable.shape, variable.dtype))
            return
        self.network.set_trainable(phase.trainable)
        features_stay = self.protocol.fixes_images(phase) and fixed(self.network)
        self.subject = self._head(phase) if features_stay else self.whole
        model = self.subject.model
        optimizer = OPTIMIZERS.make(phase.optimizer).build(phase.rate)
        if phase.block_decay != 1 and self.network.body is not None:
            optimizer = with_factors(optimizer, block_factors(self.network, phase.block_decay))
        self.network.check_trainable(phase.trainable, model)
        self._steps = compiled_steps(model, optimizer, self.protocol.loss, phase.average)
        self._compiled_for = wanted

    def _head(self, phase: Phase) -> Subject:
        """Return the network's head on features of its frozen body: the same updates without running the body."""
        model, images = head(self.network), self.feed.images
        if phase.feature_copies:
            copies = Copies(number=phase.feature_copies, augmentation=self.protocol.augmentation)
            images = with_copies(images, copies, self.seed)[len(images) :]
        train, validation = (self.features.features(self.network, one) for one in (images, self.whole.validation))
        return Subject(model, self.feed.over(train, phase.feature_copies or 1), Predictor(model), validation)

    def most_epochs(self) -> int:
        """Return the epochs of the run if nothing more stops early."""
        ended = sum(
            1 for row in self.history if row.phase != self.phases[min(len(self.stopped), len(self.phases) - 1)].name
        )
        rest = self.phases[len(self.stopped) :]
        return ended + sum(phase.epochs for phase in rest)

    def _weights(self) -> list[NDArray[Any]]:
        return [np.asarray(weight) for weight in self.network.model.get_weights()]

    def _set_weights(self, weights: list[NDArray[Any]]) -> None:
        self.network.model.set_weights(weights)

    def _save(self, phase: int, done: int, stopping: Stopping, plateau: PlateauState | None) -> None:
        self.checkpoint.save(
            phase,
            {
                "phase": phase,
                "updates": done,
                "stopping": state(stopping),
                "plateau": state(plateau),
                "history": [row.to_json() for row in self.history],
                "best_epoch": self.best_epoch,
                "stopped": self.stopped,
                "test_monitor": self.test_monitor.state() if self.test_monitor else {},
            },
            {
                "weights": self._weights(),
                "best": self.best,
                "average": self._steps.averages() if self.phases[phase].average else [],
                "optimizer": [np.asarray(variable) for variable in self.subject.model.optimizer.variables],
                **(self.test_monitor.arrays() if self.test_monitor else {}),
            },
        )

    def _resume(self) -> tuple[int, dict[str, Any] | None]:
        """Return the phase to go on with and the newest checkpoint that fits, or 0 and None.

        A checkpoint whose weights or optimizer do not fit is of a network that was changed, such as a plugin's: it is
        refused, and the one before it is tried. The last one of an earlier phase is among these, so that at best the
        phase starts again, at worst the run.
        """
        initial = self._weights()
        found = self.checkpoint.load()
        while found is not None and not self._restore(*found, initial):
            self.checkpoint.refuse()
            found = self.checkpoint.load()
        for note in self.checkpoint.notes:
            self.progress({"kind": "note", "text": note})
        if found is None:
            self._set_weights(initial)
            self._compiled_for = None
            return 0, None
        saved, arrays = found
        self.history = [msgspec.convert(row, Epoch) for row in saved["history"]]
        self.best_epoch, self.stopped = saved["best_epoch"], saved["stopped"]
        self.best = arrays["best"]
        if self.test_monitor:
            self.test_monitor.restore(saved["test_monitor"], arrays)
        return saved["phase"], saved

    def _restore(
        self, saved: Mapping[str, Any], arrays: Mapping[str, list[NDArray[Any]]], initial: list[NDArray[Any]]
    ) -> bool:
        """Set weights and optimizer from a checkpoint, or return False where they do not fit."""
        if not 0 <= saved["phase"] < len(self.phases) or _shapes(arrays["weights"]) != _shapes(initial):
            return False
        self._set_weights(arrays["weights"])
        self._compiled_for = None  # features of a frozen body that an earlier checkpoint brought would be stale
        self._compile(self.phases[saved["phase"]])
        variables = self.subject.model.optimizer.variables
        if _shapes(arrays["optimizer"]) != _shapes(variables):
            return False
        if self.phases[saved["phase"]].average:
            if _shapes(arrays["average"]) != _shapes(self.subject.model.weights):
                return False
            self._steps.set_averages(arrays["average"])
        for variable, value in zip(variables, arrays["optimizer"], strict=True):
            variable.assign(value)
        return True


def _shapes(arrays: Sequence[Any]) -> list[tuple[int, ...]]:
    return [tuple(array.shape) for array in arrays]
