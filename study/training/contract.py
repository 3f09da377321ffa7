"""The contract that every model entry keeps, as checks that `study check` and the tests run alike."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.errors import StudyError
from study.core.spec import DatasetName, RunProtocol, Spec, Start
from study.models.entry import ModelEntry
from study.protocols import PROTOCOLS, PhasePlan, Protocol, resolve
from study.protocols.protocol import ADAM

CLASSES = 7
IMAGES = 16
#: Steps on one batch that are averaged for a look at its loss (dropout makes single ones jump), and before giving up.
STEPS, MOST_STEPS = 5, 60
#: What the range of a builder's input must be, by preprocessing.
RANGES = {"unit": (0, 1), "tf": (-1, 1), "caffe": (-124, 152), "torch": (-2.2, 2.7), "inside": (0, 255)}


class ContractError(StudyError):
    """An entry breaks the contract; the message says which promise and how."""


def require(kept: bool, promise: str) -> None:
    """Raise ``ContractError`` with the promise where it is not kept."""
    if not kept:
        raise ContractError(promise)


class Bench:
    """An entry with small images to try it on.

    Args:
        entry: The entry to check.
    """

    def __init__(self, entry: ModelEntry) -> None:
        self.entry = entry
        self.side_px = entry.side_px if entry.family == "custom" else entry.minimum_side_px
        random = np.random.default_rng(0)
        self.labels = np.arange(IMAGES) % CLASSES
        # Coarse patterns, one a class, with noise: what any image network can tell apart.
        patterns = random.uniform(30, 225, (CLASSES, 4, 4)).repeat(12, axis=1).repeat(12, axis=2)
        noisy = patterns[self.labels, ..., None] + random.normal(0, 10, (IMAGES, 48, 48, 1))
        self.images: NDArray[np.uint8] = noisy.clip(0, 255).astype(np.uint8)
        self._network: Any = None

    def build(self, weights: Path | None = None) -> Any:
        """Return a fresh network on grey 48x48 images; a body starts from a file of weights where one is given."""
        import keras

        from study.training.build import build_network

        keras.utils.set_random_seed(0)
        return build_network(
            self.entry,
            image_shape=(48, 48, 1),
            classes=CLASSES,
            side_px=self.side_px,
            weights_source="file" if weights else "none",
            weights_path=weights,
        )

    @property
    def network(self) -> Any:
        """A network that checks share; those that change it build their own."""
        if self._network is None:
            self._network = self.build()
        return self._network


def builds_on_raw_images(bench: Bench) -> None:
    """uint8 images in, one probability a class out, in float32."""
    model = bench.network.model
    require(model.input_shape == (None, 48, 48, 1), f"the model must take (n, 48, 48, 1), takes {model.input_shape}.")
    outputs = np.asarray(model(bench.images, training=False))
    require(outputs.dtype == np.float32, f"probabilities must be float32, got {outputs.dtype}.")
    require(outputs.shape == (IMAGES, CLASSES), f"outputs must be ({IMAGES}, {CLASSES}), got {outputs.shape}.")
    require(
        bool(np.allclose(outputs.sum(axis=1), 1, atol=1e-4)),
        "each image's probabilities must sum to one: end with a softmax.",
    )


def follows_classes_and_colour(bench: Bench) -> None:
    """Three classes and colour images of another side are taken as well."""
    from study.training.build import build_network

    network = build_network(bench.entry, image_shape=(64, 64, 3), classes=3, side_px=bench.side_px)
    require(
        network.model.output_shape == (None, 3), f"three classes must give (n, 3), got {network.model.output_shape}."
    )


def sees_its_range(bench: Bench) -> None:
    """The preprocessing gives the range that the entry declares."""
    import keras

    from study.models.layers import preprocess

    images = keras.Input((48, 48, 1), dtype="uint8")
    channels = 3 if bench.entry.family == "transfer" else 1
    model = keras.Model(images, preprocess(images, bench.entry.preprocessing, bench.side_px, channels))
    low, high = RANGES[bench.entry.preprocessing]
    extremes = np.stack([np.zeros((48, 48, 1), np.uint8), np.full((48, 48, 1), 255, np.uint8)])
    values = np.asarray(model(extremes))
    require(values.shape[1:] == (bench.side_px, bench.side_px, channels), f"preprocessing gives {values.shape[1:]}.")
    slack = 1e-5 * (high - low)  # resizing adds up weights that are not exact
    require(
        low - slack <= values.min() and values.max() <= high + slack,
        f"{bench.entry.preprocessing} means {low}..{high}, got {values.min()}..{values.max()}.",
    )
    require(
        values.max() - values.min() > 0.7 * (high - low),
        f"{bench.entry.preprocessing} must use its range, got {values.min()}..{values.max()}.",
    )


def preprocesses_as_keras_does(bench: Bench) -> None:
    """Transfer: grey and colour images reach the body as keras.applications' own preprocessing makes them."""
    if bench.entry.family != "transfer":
        return
    import keras
    from keras.applications.imagenet_utils import preprocess_input

    from study.models.layers import preprocess

    family = bench.entry.preprocessing
    for channels in (1, 3):
        shape = (bench.side_px, bench.side_px, channels)
        images = np.random.default_rng(channels).integers(0, 256, (4, *shape), dtype=np.uint8)
        pixels = np.broadcast_to(images, (*images.shape[:3], 3)).astype(np.float32)
        wanted = pixels.copy() if family == "inside" else preprocess_input(pixels.copy(), mode=family)
        inputs = keras.Input(shape, dtype="uint8")
        found = np.asarray(keras.Model(inputs, preprocess(inputs, family, bench.side_px, 3))(images))
        require(
            bool(np.allclose(found, wanted, rtol=1e-5, atol=1e-4)),
            f"{family} must be what keras.applications makes of {channels} channels, "
            f"it is {np.abs(found - wanted).max():g} away.",
        )


def caches_what_the_body_gives(bench: Bench) -> None:
    """Transfer: cached features are the body's own output, and the head makes of them what the network answers."""
    if bench.entry.family != "transfer":
        return
    from study.training.features import FeatureCache, head

    network = bench.network
    with tempfile.TemporaryDirectory() as folder:
        cache = FeatureCache(Path(folder))
        computed, read = (cache.features(network, bench.images) for _ in range(2))
    require(np.array_equal(computed, read), "features that are read again must be those that were computed.")
    pooled = np.asarray(network.body(preprocessed(bench), training=False)).mean(axis=(1, 2))
    scale = max(1.0, float(np.abs(pooled).max()))
    require(
        bool(np.allclose(computed, pooled, rtol=1e-3, atol=1e-4 * scale)),
        f"cached features must be the body's pooled output, they are {np.abs(computed - pooled).max():g} away.",
    )
    answers = np.asarray(network.model(bench.images, training=False))
    behind = np.asarray(head(network)(computed, training=False))
    require(bool(np.allclose(answers, behind, atol=1e-4)), "the head must answer from features as the network does.")


def preprocessed(bench: Bench) -> Any:
    """Return the bench's images as its body takes them."""
    import keras

    from study.models.layers import preprocess

    inputs = keras.Input(bench.images.shape[1:], dtype="uint8")
    return keras.Model(inputs, preprocess(inputs, bench.entry.preprocessing, bench.side_px, 3))(bench.images)


def overfits_one_batch(bench: Bench) -> None:
    """Training steps learn one batch by heart: its loss falls by a tenth."""
    from study.models.fast.adam import adam
    from study.training.feed import Feed
    from study.training.loop import compiled_steps

    network = bench.build()
    network.set_trainable("all")
    rate = 1e-3 if bench.entry.family == "custom" else 1e-4
    steps = compiled_steps(network.model, adam())
    plain = RunProtocol(name="plain", phases=(), batch=IMAGES)
    feed = Feed(bench.images, bench.labels, np.arange(IMAGES), CLASSES, plain, seed=0)
    losses: list[float] = []
    for look in range(MOST_STEPS // STEPS):
        losses.append(steps.run(feed.epoch(look, look * STEPS, STEPS), [rate] * STEPS)["loss"])
        require(bool(np.isfinite(losses).all()), f"the loss must stay finite, got {losses}.")
        if losses[-1] < 0.9 * losses[0]:
            return
    shown = f"{losses[0]:.3f} -> {losses[-1]:.3f}"
    require(False, f"{MOST_STEPS} steps on one batch must lower its loss by a tenth, got {shown}.")


def saves_and_loads(bench: Bench) -> None:
    """Weights written by one network give another the same outputs, to the bit."""
    first, second = bench.network.model, bench.build().model
    for weight in second.weights:
        weight.assign(np.asarray(weight) + 0.01)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.weights.h5"
        first.save_weights(path)
        second.load_weights(path)
    same = np.array_equal(
        np.asarray(first(bench.images, training=False)), np.asarray(second(bench.images, training=False))
    )
    require(same, "a network with loaded weights must give the same outputs.")


def names_its_blocks(bench: Bench) -> None:
    """Transfer: ``stages`` name layers of the body, and ``blocks:1`` unfreezes the top block alone."""
    if bench.entry.family != "transfer":
        return
    network = bench.network
    require(bool(bench.entry.stages), "a transfer entry must name its blocks from the top (stages).")
    for prefix in (prefix for block in bench.entry.stages for prefix in ([block] if isinstance(block, str) else block)):
        named = any(layer.name.startswith(prefix) for layer in network.body.layers)
        require(named, f"stages name {prefix!r}, but no layer of the body starts with it.")
    network.set_trainable("blocks:1")
    free = {layer.name for layer in network.body.layers if layer.trainable and layer.trainable_weights}
    network.set_trainable("all")
    require(
        bool(free) and all(name.startswith(bench.entry.stages[0]) for name in free),
        f"blocks:1 must unfreeze the top block alone, unfreezes {sorted(free)}.",
    )


#: Every kind of phase that a transfer network is trained in, one after the other in one run.
EVERY_PHASE = tuple(
    PhasePlan(f"phase {what}", "head" if what == "head" else "stage", what, ADAM, 1e-2, epochs=1, patience=None)
    for what in ("head", "blocks:1", "all")
)


def trains_what_each_phase_says(bench: Bench) -> None:
    """Transfer: in each phase every layer that should train changes, and every frozen one stays equal bit for bit."""
    if bench.entry.family == "transfer":
        check_phases(bench, Protocol("contract", transfer=EVERY_PHASE, batch=IMAGES // 2))


def check_phases(bench: Bench, protocol: Protocol) -> None:
    """Train a transfer network from a weights file, one epoch a phase, and compare its weights after each phase.

    Args:
        bench: The entry with images.
        protocol: What to train under; each of its phases gets one epoch.

    Raises:
        ContractError: a layer that a phase trains did not change, or a frozen one did, statistics of normalisation
            included.
    """
    from study.training.checkpoint import Checkpoint
    from study.training.features import FeatureCache
    from study.training.feed import Feed
    from study.training.loop import Training
    from study.training.predict import Predictor

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pretrained.weights.h5"
        bench.entry.builder((bench.side_px, bench.side_px, 3), None).save_weights(path)
        network = bench.build(path)
    source = "none" if protocol.start == "none" else "file"
    resolved = resolve(
        protocol,
        family="transfer",
        weights_source=source,
        train_images=IMAGES,
        epochs=len(protocol.transfer) if protocol.epochs_in_all else 1,
    )
    trainable = {phase.name: phase.trainable for phase in resolved.phases}
    before = weights_by_path(network)

    def compare(event: dict[str, Any]) -> None:
        nonlocal before
        if event["kind"] == "epoch":
            after = weights_by_path(network)
            compare_weights(network, trainable[event["phase"]], before, after)
            before = after

    everything = np.arange(IMAGES)
    feed = Feed(bench.images, bench.labels, everything, CLASSES, resolved, seed=0)
    predictor, nothing = Predictor(network.model), Checkpoint(None, "contract")
    Training(network, feed, bench.images, bench.labels, resolved, 0, predictor, nothing, compare, FeatureCache()).run()


def weights_by_path(network: Any) -> dict[str, NDArray[Any]]:
    """Return copies of all weights of a network by their path; generator states, which are no weights, are left out."""
    weights = {weight.path: np.asarray(weight).copy() for weight in network.model.weights}
    return {path: value for path, value in weights.items() if not path.endswith("seed_generator_state")}


def compare_weights(
    network: Any, trainable: str, before: Mapping[str, NDArray[Any]], after: Mapping[str, NDArray[Any]]
) -> None:
    """Require that a phase changed every weight that it trains and no other.

    Args:
        network: A transfer network.
        trainable: What the phase trains: ``all``, ``head`` or ``blocks:N``.
        before: ``weights_by_path`` before the phase.
        after: And after it.

    Raises:
        ContractError: it did not.
    """
    stages = network.entry.stages
    most = {"all": len(stages), "head": 0}.get(trainable) if ":" not in trainable else int(trainable.split(":")[1])
    frozen = {
        weight.path for layer in network.body.layers if network.entry.block_of(layer.name) >= most
        for weight in layer.weights
    }  # fmt: skip
    moved = {path for path, old in before.items() if not np.array_equal(old, after[path])}
    still = sorted(before.keys() - moved - frozen)
    require(not still, f"a phase that trains {trainable} must change all that it trains, these did not: {still[:3]}.")
    wrong = sorted(moved & frozen)
    require(not wrong, f"a phase that trains {trainable} must leave frozen layers alone, these changed: {wrong[:3]}.")


def spec_round_trips(bench: Bench) -> None:
    """A spec of the entry is JSON and comes back equal, with the same key."""
    protocol = resolve(PROTOCOLS.get("baseline"), family=bench.entry.family, weights_source="none", train_images=100)
    spec = Spec(
        dataset=DatasetName(name="d", fingerprint="0" * 64),
        model=bench.entry.identity,
        protocol=protocol,
        budget="full",
        side_px=bench.side_px,
        weights=Start(source="none"),
        precision="float32",
        backend="tensorflow",
        seed=0,
    )
    again = Spec.from_json(spec.to_json())
    require(again.to_json() == spec.to_json() and again.key == spec.key, "a spec must survive JSON.")


CHECKS: tuple[Callable[[Bench], None], ...] = (
    builds_on_raw_images,
    follows_classes_and_colour,
    sees_its_range,
    preprocesses_as_keras_does,
    caches_what_the_body_gives,
    overfits_one_batch,
    saves_and_loads,
    names_its_blocks,
    trains_what_each_phase_says,
    spec_round_trips,
)
