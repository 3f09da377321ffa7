"""Fake records and stores: realistic results without training, for tests of whatever reads the store."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from study.core.record import (
    Contamination,
    Cost,
    DatasetCard,
    Epoch,
    Outcome,
    Provenance,
    Record,
    SplitFacts,
    Timing,
)
from study.core.spec import (
    RANDOM_FEATURES,
    SPLITS,
    DatasetName,
    ModelName,
    NewSplit,
    Phase,
    Plateau,
    RunProtocol,
    Spec,
    Start,
    content_hash,
    derive_seed,
)
from study.core.store import Store
from study.protocols.piece import part

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SHARES = (0.139, 0.015, 0.143, 0.251, 0.168, 0.110, 0.174)
CUSTOM = {"cnn2": (1.6, 4_738_000, 21e6), "cnn3": (1.9, 1_277_000, 25e6), "cnn5": (2.2, 4_500_000, 121e6)}
TRANSFER = {"vgg16": (2.3, 14_718_000, 710e6), "resnet50": (2.1, 23_602_000, 210e6)}
PROTOCOLS = ("baseline", "oversample", "augment", "oversample+augment")
TWINS = {
    "oversample-before-split": "oversample-after-split",
    "checkpoint-on-test": "checkpoint-on-validation",
    "test-as-validation": "checkpoint-on-validation",
}
AUGMENTATION = (
    part("affine", flip=True, rotation_degrees=10.0, translation=0.1, zoom=0.1),
    part("cutout", side=0.25, probability=0.5),
)


def make_counts(train: int = 2000, validation: int = 250, test: int = 250, classes: int = 7) -> dict[str, list[int]]:
    """Return images per class and split with FER-2013's imbalance, at least two each."""
    shares = np.resize(SHARES, classes)
    shares = shares / shares.sum()
    return {
        split: np.maximum(2, np.round(shares * n)).astype(int).tolist()
        for split, n in zip(SPLITS, (train, validation, test), strict=True)
    }


def make_card(
    name: str = "fake", counts: Mapping[str, list[int]] | None = None, classes: tuple[str, ...] = CLASSES, **more: Any
) -> DatasetCard:
    """Return a dataset card as ``ImageSet.card`` gives it."""
    counts = dict(counts or make_counts(classes=len(classes)))
    card = {
        "name": name,
        "classes": list(classes),
        "image_shape": [48, 48, 1],
        "counts": counts,
        "split_source": "official split, from the Usage column",
        "split_hashes": {split: content_hash([name, split]) for split in SPLITS},
        "drawn": False,
        "bound": None,
        "notes": [],
        "settings": {},
        **more,
    }
    return msgspec.convert({"fingerprint": content_hash(card), **card}, DatasetCard)


def make_protocol(name: str, family: str, weights: str, train_images: int, epochs: int = 8) -> RunProtocol:
    """Return a resolved protocol; ``leaky/*`` is followed by its leak, ``clean-twin/*`` by a name of ``TWINS``."""
    per_epoch = math.ceil(train_images / 64)

    def phase(title: str, trainable: str, rate: float, count: int) -> Phase:
        return Phase(
            name=title,
            kind=title,
            trainable=trainable,
            optimizer=part("adam"),
            rate=rate,
            updates=count * per_epoch,
            updates_per_epoch=per_epoch,
            patience=8,
            plateau=Plateau(factor=0.5, patience=3),
        )

    if family == "custom":
        phases = [phase("all", "all", 1e-3, epochs)]
    else:
        stages = [phase("stage-1", "all" if weights == "none" else "block5", 1e-4, epochs // 2)]
        stages += [phase("stage-2", "all", 1e-5, epochs // 4)]
        phases = stages if weights == "none" else [phase("head", "head", 1e-3, epochs // 4), *stages]
    leaky = name.startswith("leaky/")
    own = name.removeprefix("leaky/").removeprefix("clean-twin/")
    rare: dict[str, Any] = {}
    if own != name:
        rare = {"monitor_test": True} | ({"twin": f"clean-twin/{TWINS[own]}"} if leaky else {})
        if "-split" in own:
            rare["new_split"] = NewSplit(test=0.1, validation=0.1, seed=0)
    return RunProtocol(
        name=name,
        sampling="oversample" if "oversample" in name else "none",
        augmentation=AUGMENTATION if "augment" in name else (),
        batch=64,
        leak=own if leaky else "none",
        phases=tuple(phases),
        **rare,
    )


def make_spec(
    model: str = "cnn3",
    protocol: str = "baseline",
    seed: int = 0,
    *,
    card: DatasetCard | None = None,
    weights: str = "imagenet",
    budget: str = "full",
    epochs: int = 8,
    side: int = 48,
) -> Spec:
    """Return the spec of one run; ``weights`` is for transfer networks only."""
    card = card or make_card()
    family = "transfer" if model in TRANSFER else "custom"
    weights = weights if family == "transfer" else "none"
    sha256 = "" if weights in ("none", RANDOM_FEATURES) else content_hash([model, weights])
    return Spec(
        dataset=DatasetName(name=card.name, fingerprint=card.fingerprint),
        model=ModelName(name=model, version="1", family=family),
        protocol=make_protocol(protocol, family, weights, sum(card.counts["train"]), epochs),
        budget=budget,
        side_px=side,
        weights=Start(source=weights, sha256=sha256),
        precision="float32",
        backend="tensorflow",
        seed=seed,
    )


def make_record(
    model: str = "cnn3",
    protocol: str = "baseline",
    seed: int = 0,
    *,
    status: str = "done",
    converged: bool = True,
    card: DatasetCard | None = None,
    skill: float | None = None,
    reason: str = "",
    **spec: Any,
) -> Record:
    """Return a record whose predictions follow from its names, its seed and ``skill`` (higher is better).

    Images share their difficulty over all records of a card, so that runs agree on what is hard, as networks do.
    """
    card = card or make_card()
    made = make_spec(model, protocol, seed, card=card, **spec)
    where = Provenance(
        study="0.1.0",
        commit="0123456789ab",
        code="abcdef012345",
        python="3.11.7",
        versions={"keras": "3.15.1", "numpy": "2.4.0", "tensorflow": "2.21.0"},
        system="Linux x86_64",
        processor="Example CPU",
        threads=2,
        started="2026-01-02T03:04:05+00:00",
    )
    if status != "done":
        words = reason or "ResourceExhaustedError: out of memory while allocating 512 MiB"
        tail = f"Traceback (fake)\n{words}\n"
        return Record(spec=made, status=status, dataset=card, reason=words, traceback=tail, provenance=where)
    strength, parameters, macs = {**CUSTOM, **TRANSFER}.get(model, (1.8, 1_000_000, 20e6))
    if skill is None:
        gain = 0.25 * ("augment" in protocol) - 0.05 * ("oversample" in protocol)
        skill = strength + gain - 1.2 * (made.weights.source == "none" and model in TRANSFER)
    history = _make_history(made, skill, converged)
    train_images = sum(card.counts["train"])
    train_s = round(len(history) * train_images * macs / 2.5e10, 3)
    leaky = made.protocol.leak != "none"
    arrays = _make_arrays(made, card, skill)
    if made.protocol.new_split:
        arrays |= _new_split_arrays(made, card, skill)
    best = min(range(len(history)), key=lambda row: history[row].validation_loss)
    if made.protocol.monitor_test:
        arrays |= _watched_arrays(made, arrays, len(history), best)
        if made.protocol.leak == "checkpoint-on-test":
            right = (arrays["epoch_answers"] == arrays["test_labels"]).mean(axis=1)
            best = int(right.argmax())
            arrays["test_probabilities"] = np.eye(len(card.classes), dtype=np.float32)[arrays["epoch_answers"][best]]
    seen = arrays.get("test_seen", np.zeros(0, np.uint8))
    return Record(
        spec=made,
        status="done",
        dataset=card,
        history=tuple(history),
        outcome=Outcome(best_epoch=best, stopped=("budget",) * len(made.protocol.phases), converged=converged),
        timing=Timing(
            wall_s=train_s * 1.2,
            cpu_s=train_s * 2.1,
            train_s=train_s,
            train_images_per_s=2.5e10 / macs,
            predict_images_per_s=7e10 / macs,
        ),
        cost=Cost(
            parameters=parameters,
            macs=int(macs),
            latency_single_ms=2 + macs / 2e7,
            latency_batch_ms=5 + macs / 1e6,
            latency_batch_size=64,
            peak_memory_mb=900 + parameters / 5e4,
        ),
        contamination=Contamination(
            trained_on_test_ids=int((seen % 2).sum()),
            test_copies_in_train=int((seen > 1).sum()) if len(seen) else 18,
            validation_copies_in_train=17,
            selected_on_test=made.protocol.leak in ("checkpoint-on-test", "test-as-validation"),
            leaky=leaky,
        ),
        splits=SplitFacts(source="made up", own_test=False, counts={}, hashes={}) if "test_indices" in arrays else None,
        provenance=where,
        weights_file="",
        arrays=arrays,
    )


def make_dataset(card: DatasetCard) -> dict[str, NDArray[Any]]:
    """Return a dataset file that fits the card's records: 18 test images have a copy in training, 10 a near copy."""
    labels = [_labels(card, split) for split in SPLITS]
    splits = np.repeat(np.arange(3, dtype=np.uint8), [len(part) for part in labels])
    n, test = len(splits), np.flatnonzero(splits == 2)
    contents = np.arange(n)
    contents[test[:18]] = contents[:18]
    near = contents.copy()
    near[test[18:28]] = near[18:28]
    return {
        "labels": np.concatenate(labels),
        "ids": np.array([f"{SPLITS[code]}/{row}" for row, code in enumerate(splits)]),
        "splits": splits,
        "hashes": np.array([f"{content:032x}" for content in contents], dtype="S32"),
        "near_groups": near.astype(np.int32),
    }


def keep(folder: Path, *records: Record) -> Store:
    """Return a study with these records."""
    store = Store(folder, "s")
    for record in records:
        store.keep(record)
    return store


def make_store(
    results: Path,
    study: str = "fake",
    *,
    models: Iterable[str] = (*CUSTOM, *TRANSFER),
    protocols: Iterable[str] = PROTOCOLS,
    seeds: Iterable[int] = (0,),
    card: DatasetCard | None = None,
    flaws: bool = True,
    **spec: Any,
) -> Store:
    """Fill a store with the whole grid; ``flaws`` adds what real studies have.

    The flaws: resnet50 from random weights, cnn5 without ``oversample+augment``, vgg16's ``oversample`` failed,
    cnn2's augmented runs not converged, a leaky run of cnn3 with its twin and one without.
    """
    store = Store(results, study)
    card = card or make_card()
    for model in models:
        for protocol in protocols:
            for seed in seeds:
                if flaws and (model, protocol) == ("cnn5", "oversample+augment"):
                    continue
                failed = flaws and (model, protocol) == ("vgg16", "oversample")
                record = make_record(
                    model,
                    protocol,
                    seed,
                    card=card,
                    status="failed" if failed else "done",
                    converged=not (flaws and model == "cnn2" and "augment" in protocol),
                    weights="none" if flaws and model == "resnet50" else "imagenet",
                    **spec,
                )
                store.keep(record)
    if flaws:
        pair = ("leaky/oversample-before-split", "clean-twin/oversample-after-split")
        for protocol in (*pair, "leaky/test-as-validation"):
            store.keep(make_record("cnn3", protocol, 0, card=card, **spec))
    return store


def _labels(card: DatasetCard, split: str) -> NDArray[np.int64]:
    """Return the labels of a split, in the order of the predictions."""
    counts = card.counts[split]
    shared = np.random.default_rng(derive_seed(0, card.fingerprint, split))
    labels: NDArray[np.int64] = shared.permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int64)
    return labels


def _new_split_arrays(spec: Spec, card: DatasetCard, skill: float) -> dict[str, NDArray[Any]]:
    """Return predictions on a random part of all images; a leaky network knows a third of them by heart."""
    everything = np.concatenate([_labels(card, split) for split in SPLITS])
    shared = np.random.default_rng(derive_seed(0, card.fingerprint, "new_split"))
    places = np.sort(shared.permutation(len(everything))[: sum(card.counts["test"])])
    labels, classes = everything[places], len(card.classes)
    leaky = spec.protocol.leak != "none"
    known = shared.random(len(places)) < 0.33
    difficulty = shared.normal(0, 1.3, (len(labels), classes))
    own = np.random.default_rng(derive_seed(spec.seed, *spec.recipe, "new_split"))
    logits = (skill + 3.0 * (known & leaky)[:, None]) * np.eye(classes)[labels] + difficulty
    arrays: dict[str, NDArray[Any]] = {"test_labels": labels, "test_indices": places.astype(np.int32)}
    for what in ("probabilities", "flipped"):
        odds = np.exp(logits + own.normal(0, 0.5, logits.shape))
        arrays[f"test_{what}"] = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    arrays["test_seen"] = (3 * known if leaky else 2 * (np.arange(len(places)) % 12 == 0)).astype(np.uint8)
    if leaky:
        again = np.concatenate([np.arange(len(places)), np.flatnonzero(known)])
        arrays["claim_indices"] = places[again].astype(np.int32)
        arrays["claim_labels"] = labels[again].astype(np.uint8)
        arrays["claim_answers"] = arrays["test_probabilities"].argmax(axis=1)[again].astype(np.uint8)
    return arrays


def _watched_arrays(spec: Spec, arrays: Mapping[str, Any], epochs: int, best: int) -> dict[str, NDArray[Any]]:
    """Return the answers of every epoch: those of the end, with fewer and fewer of them guessed."""
    own = np.random.default_rng(derive_seed(spec.seed, spec.model.name, "epochs"))
    last = arrays["test_probabilities"].argmax(axis=1)
    answers = np.stack([last] * epochs)
    for epoch in set(range(epochs)) - {best}:
        guessed = own.random(len(last)) < 0.5 * 0.6**epoch
        answers[epoch, guessed] = own.integers(0, arrays["test_probabilities"].shape[1], guessed.sum())
    true = np.where(answers == arrays["test_labels"], 0.7, 0.1)
    return {"epoch_answers": answers.astype(np.uint8), "epoch_true": true.astype(np.float16)}


def _make_history(spec: Spec, skill: float, converged: bool) -> list[Epoch]:
    rng = np.random.default_rng(derive_seed(spec.seed, *spec.recipe, "history"))
    rows: list[Epoch] = []
    total = sum(phase.updates // phase.updates_per_epoch for phase in spec.protocol.phases)
    updates = 0
    for phase in spec.protocol.phases:
        for _ in range(phase.updates // phase.updates_per_epoch):
            epoch = len(rows)
            updates += phase.updates_per_epoch
            progress = 1 - math.exp(-3 * (epoch + 1) / total)
            turn = 0 if converged else -0.03
            late = max(0.0, epoch / total - 0.6) if converged else 0.0
            rows.append(
                Epoch(
                    phase=phase.name,
                    epoch=epoch,
                    updates=updates,
                    rate=phase.rate,
                    loss=round(1.95 - 0.5 * skill * progress, 5),
                    accuracy=round(0.2 + 0.24 * skill * progress, 5),
                    validation_loss=round(1.9 - 0.34 * skill * progress + 0.8 * late + turn * epoch / total, 5),
                    validation_accuracy=round(0.22 + 0.17 * skill * progress + rng.normal(0, 0.005), 5),
                    train_s=12.5,
                    validation_s=1.1,
                )
            )
    return rows


def _make_arrays(spec: Spec, card: DatasetCard, skill: float) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for split in ("validation", "test"):
        shared = np.random.default_rng(derive_seed(0, card.fingerprint, split))
        own = np.random.default_rng(derive_seed(spec.seed, *spec.recipe, spec.weights.source, split))
        counts = card.counts[split]
        labels = shared.permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int64)
        frequency = np.log(np.maximum(counts, 1) / sum(counts))
        kinship = shared.normal(0, 0.5, (len(counts), len(counts)))
        difficulty = shared.normal(0, 1.3, (len(labels), len(counts)))
        logits = skill * np.eye(len(counts))[labels] + kinship[labels] + difficulty + frequency / 2
        if spec.protocol.sampling == "oversample":
            logits = logits - frequency / 3
        for what, noise in (("probabilities", 0.0), ("flipped", 0.4)):
            if what == "probabilities":
                logits = logits + own.normal(0, 0.6, logits.shape)
            shaken = logits + own.normal(0, noise, logits.shape) if noise else logits
            odds = np.exp(shaken - shaken.max(axis=1, keepdims=True))
            arrays[f"{split}_{what}"] = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
        arrays[f"{split}_labels"] = labels
    return arrays
