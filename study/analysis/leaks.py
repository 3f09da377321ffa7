"""What leaks are worth: each leaky recipe beside its clean twin, on the same images, at the end and epoch by epoch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.leaderboard import hardly_trained
from study.analysis.recipes import Naming, Recipe
from study.analysis.runs import ScoredRun, predicted
from study.analysis.scores import FEWEST_IMAGES, Answers, PairedScores, Statement
from study.core.spec import Spec, content_hash
from study.core.store import rows_of

Dataset = Mapping[str, NDArray[Any]]
#: Accuracy, and accuracy reweighted to equal classes, which is what a split of an oversampled pool measures.
PLAIN, REWEIGHTED = "accuracy", "balanced_accuracy"
ORACLE, VALIDATION = "checkpoint-on-test", "test-as-validation"
#: Leaks of a choice: their curve shows the checkpoint that would have been kept up to each epoch.
CHOICES = (ORACLE, VALIDATION)
#: Of the row of the history by which checkpoints are chosen, the lowest or, negated, the highest.
_BY_ACCURACY = "validation_accuracy"
_MONITORED = {"loss": "validation_loss", "brier": "validation_brier"}


@dataclass(frozen=True)
class Step:
    """One point of a leak's curve, on the same images for both, means over seeds."""

    epoch: int  #: Counted from 1.
    leaky: float  #: The leaky networks' score.
    clean: float  #: The clean ones'.
    worth: Statement  #: Leaky less clean.
    leaky_training: float  #: Training accuracy of the leaky networks in this epoch: how much they have memorised.
    clean_training: float  #: The same of the clean ones.


@dataclass(frozen=True)
class Leak:
    """One leaky recipe beside its clean twin."""

    recipe: Recipe  #: The leaky recipe.
    kind: str  #: Its ``leak``.
    twin: str  #: Name of the clean protocol.
    seeds: tuple[int, ...]  #: Seeds that both have, ascending; those of the leaky recipe where there is no twin.
    images: int  #: Number of images that both are scored on.
    trained_on: int  #: Of these, the images that the leaky networks were trained on.
    measure: str  #: ``REWEIGHTED`` where the claim is made on classes of equal size, else ``PLAIN``.
    claimed: Statement  #: What the leaky pipeline would have reported.
    leaky: Mapping[str, Statement]  #: Score on the same images by ``PLAIN`` and ``REWEIGHTED``.
    runs: tuple[str, ...]  #: Keys of the runs behind it.
    hardly_trained: bool  #: Whether one side was hardly trained (``study.analysis.leaderboard``): nothing follows then.
    #: The twin's; empty where it has not been run with a common seed.
    clean: Mapping[str, Statement] = field(default_factory=dict)
    worth: Mapping[str, Statement] = field(default_factory=dict)  #: Leaky less clean.
    #: The same by ``measure`` on the images that the leaky networks trained on, or on a copy of; None where these are
    #: too few.
    worth_trained_on: Statement | None = None
    worth_unseen: Statement | None = None  #: On the others.
    #: The twin's accuracy on the images without an identical copy in its training split; None where that is not
    #: recorded.
    clean_without_copies: Statement | None = None
    curve: tuple[Step, ...] = ()  #: Leaky less clean by ``measure``, epoch by epoch.
    same_epoch: int = 0  #: Of the oracle: the seeds with which both splits choose the same checkpoint.

    @property
    def paired(self) -> bool:
        """Tell whether the clean twin was run too."""
        return bool(self.worth)


def measure_leaks(runs: Sequence[ScoredRun], naming: Naming, dataset: Dataset | None) -> list[Leak]:
    """Measure every leaky recipe of a study that has finished runs, on whatever split, in table order.

    With its dataset (``Store.load_dataset``) identical images count as one draw.
    """
    groups: dict[Recipe, list[ScoredRun]] = defaultdict(list)
    for run in runs:
        if run.spec.protocol.leak != "none":
            groups[naming.of(run.record)].append(run)
    return [
        _measure(recipe, sorted(groups[recipe], key=lambda run: run.spec.seed), runs, dataset)
        for recipe in sorted(groups, key=naming.order)
    ]


def _measure(recipe: Recipe, leaky: Sequence[ScoredRun], runs: Sequence[ScoredRun], dataset: Dataset | None) -> Leak:
    protocol = leaky[0].spec.protocol
    pairs = [(one, other) for one in leaky if (other := _twin(one, runs)) is not None]
    chosen = [one for one, _ in pairs] or list(leaky)
    record, arrays = chosen[0].record, chosen[0].record.arrays
    labels, classes, groups = arrays["test_labels"], len(record.dataset.classes), None
    if dataset is not None:
        groups = dataset["hashes"][arrays.get("test_indices", rows_of(dataset["splits"], "test"))]
    scores = PairedScores(labels, classes, groups)
    answers = np.stack([predicted(one.record.arrays["test_probabilities"]) for one in chosen])
    found = Leak(
        recipe=recipe,
        kind=protocol.leak,
        twin=protocol.twin,
        seeds=tuple(one.spec.seed for one in chosen),
        images=len(labels),
        trained_on=int(record.contamination.trained_on_test_ids or 0),
        measure=REWEIGHTED if protocol.leak == "oversample-before-split" else PLAIN,
        claimed=_claimed(chosen, dataset) or scores.score(PLAIN, answers),
        leaky={metric: scores.score(metric, answers) for metric in (PLAIN, REWEIGHTED)},
        runs=tuple(one.record.key for one in chosen),
        hardly_trained=hardly_trained(chosen) or hardly_trained([clean for _, clean in pairs]),
    )
    if not pairs:
        return found
    clean = np.stack([_clean_answers(*pair) for pair in pairs])
    seen = arrays["test_seen"] > 0 if "test_seen" in arrays else np.zeros(len(labels), bool)
    known = pairs[0][1].record.arrays.get("test_seen")

    def part(images: NDArray[np.bool_]) -> PairedScores:
        return PairedScores(labels[images], classes, None if groups is None else groups[images])

    def worth_on(images: NDArray[np.bool_]) -> Statement | None:
        if not seen.any() or images.sum() < FEWEST_IMAGES:
            return None
        return part(images).difference(found.measure, answers[:, images], clean[:, images])

    return replace(
        found,
        worth_trained_on=worth_on(seen),
        worth_unseen=worth_on(~seen),
        clean={metric: scores.score(metric, clean) for metric in (PLAIN, REWEIGHTED)},
        worth={metric: scores.difference(metric, answers, clean) for metric in (PLAIN, REWEIGHTED)},
        clean_without_copies=None if known is None else part(known == 0).score(PLAIN, clean[:, known == 0]),
        curve=_curve(pairs, scores, found.measure),
        same_epoch=sum(
            run is twin and _kept(run, _BY_ACCURACY)[-1] == run.record.kept.best_epoch for run, twin in pairs
        ),
        runs=tuple(dict.fromkeys(run.record.key for pair in pairs for run in pair)),
    )


def _twin(leaky: ScoredRun, runs: Sequence[ScoredRun]) -> ScoredRun | None:
    """Return the twin's run of the same seed that differs in the protocol's leak alone; the oracle brings its own."""
    name = leaky.spec.protocol.twin
    if leaky.spec.protocol.leak == ORACLE and "epoch_answers" in leaky.record.arrays:
        return leaky
    wanted, mine = _surroundings(leaky.spec), leaky.record.arrays
    for run in runs:
        same = run.spec.protocol.name == name and run.spec.seed == leaky.spec.seed
        if same and _surroundings(run.spec) == wanted:
            arrays = run.record.arrays
            same_indices = np.array_equal(mine.get("test_indices", ()), arrays.get("test_indices", ()))
            if same_indices and np.array_equal(mine["test_labels"], arrays["test_labels"]):
                return run
    return None


def _surroundings(spec: Spec) -> str:
    """Return a hash of all that a pair has in common."""
    data = spec.to_json()
    data["protocol"] = data["protocol"]["phases"]
    return content_hash(data)


def _clean_answers(leaky: ScoredRun, twin: ScoredRun) -> Answers:
    """Return the clean network's answers, (images,)."""
    if twin is not leaky:
        return predicted(twin.record.arrays["test_probabilities"])
    # The oracle is set beside the checkpoint that the same rule, the highest accuracy, picks on the validation split of
    # the same training, so that nothing but the split differs.
    return np.asarray(_trajectory(leaky)[_kept(leaky, _BY_ACCURACY)[-1]])


def _claimed(runs: Sequence[ScoredRun], dataset: Dataset | None) -> Statement | None:
    """Return the score on the run's own test split, copies included; None where it is that of the scored images."""
    if any("claim_answers" not in run.record.arrays for run in runs):
        return None
    first = runs[0].record
    images = sum(sum(counts) for counts in first.dataset.counts.values())
    origins = first.arrays["claim_indices"] % images
    scores = PairedScores(
        first.arrays["claim_labels"],
        len(first.dataset.classes),
        origins if dataset is None else dataset["hashes"][origins],
    )
    return scores.score(PLAIN, np.stack([run.record.arrays["claim_answers"] for run in runs]).astype(np.int64))


def _curve(pairs: Sequence[tuple[ScoredRun, ScoredRun]], scores: PairedScores, measure: str) -> tuple[Step, ...]:
    if any("epoch_answers" not in run.record.arrays for pair in pairs for run in pair):
        return ()
    kind = pairs[0][0].spec.protocol.leak
    lengths = [len(_trajectory(run)) for pair in pairs for run in pair]
    epochs = max(lengths) if kind in CHOICES else min(lengths)
    leaky = np.stack([_shown(one, kind, True, epochs) for one, _ in pairs])
    clean = np.stack([_shown(other, kind, False, epochs) for _, other in pairs])
    return tuple(
        Step(
            epoch=epoch + 1,
            leaky=scores.value(measure, leaky[:, epoch]),
            clean=scores.value(measure, clean[:, epoch]),
            worth=scores.difference(measure, leaky[:, epoch], clean[:, epoch]),
            leaky_training=_training_accuracy([one for one, _ in pairs], epoch),
            clean_training=_training_accuracy([other for _, other in pairs], epoch),
        )
        for epoch in range(epochs)
    )


def _shown(run: ScoredRun, kind: str, leaky: bool, epochs: int) -> Answers:
    """Return (epochs, images): the answers after each epoch, or those of the checkpoint kept up to it."""
    answers = _trajectory(run)
    if kind not in CHOICES:
        return answers[:epochs]
    if kind == VALIDATION:
        rows = _kept(run, _MONITORED[run.spec.protocol.phases[-1].monitor])
    elif leaky:
        rows = _best_so_far((answers == run.record.arrays["test_labels"]).mean(axis=1))
    else:
        rows = _kept(run, _BY_ACCURACY)
    return answers[np.pad(rows, (0, max(0, epochs - len(rows))), mode="edge")[:epochs]]


def _kept(run: ScoredRun, by: str) -> NDArray[np.int64]:
    """Return for each epoch (from 0) the epoch whose weights were kept so far, (epochs,)."""
    values = np.array([getattr(row, by) for row in run.record.history], dtype=np.float64)
    return _best_so_far(values if by == _BY_ACCURACY else -values)


def _best_so_far(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return where the highest value so far was first reached, for each place."""
    highest = np.maximum.accumulate(np.nan_to_num(values, nan=-np.inf))
    rises = np.concatenate([[True], highest[1:] > highest[:-1]])
    return np.asarray(np.maximum.accumulate(np.where(rises, np.arange(len(values)), 0)))


def _trajectory(run: ScoredRun) -> Answers:
    """Return the answers of every epoch, int64 (epochs, images)."""
    return np.asarray(run.record.arrays["epoch_answers"], np.int64)


def _training_accuracy(runs: Sequence[ScoredRun], epoch: int) -> float:
    """Return the mean training accuracy of an epoch, of the last one where training had ended before."""
    return float(np.mean([run.record.history[min(epoch, len(run.record.history) - 1)].accuracy for run in runs]))
