"""Run on JAX by tests/test_jax.py: an epoch as one program makes the updates that single steps make.

Prints the largest differences of a weight, of an average and of a metric after two epochs, how many programs a first
run put into the cache, and how many another seed and rate added.
"""

import json
import os
import sys
from pathlib import Path

import msgspec
import numpy as np

from study.training.backend import prepare_backend, reseed_layers

prepare_backend("jax")

import jax  # noqa: E402
import keras  # noqa: E402  the backend is set first

from study.protocols import PROTOCOLS, resolve  # noqa: E402
from study.protocols.piece import OPTIMIZERS, part  # noqa: E402
from study.training.feed import Feed, JaxEpoch  # noqa: E402
from study.training.loop import compiled_steps  # noqa: E402

UPDATES, BATCH = 3, 8
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


def programs() -> set[str]:
    """Return the names of the compiled programs in the cache."""
    return {path.name for path in Path(os.environ["STUDY_CACHE"], "jax").glob("*-cache")}


def train(
    protocol: str, seed: int, whole_epochs: bool, rate: float = 0.01
) -> tuple[list[np.ndarray], dict[str, float]]:
    """Train a tiny network for two epochs and return weights and averages, and what the last epoch said."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((12, 12, 1), dtype="uint8")
    x = keras.layers.Conv2D(4, 3, use_bias=False)(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Dropout(0.3)(keras.layers.Flatten()(x))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (40, 12, 12, 1), dtype=np.uint8)
    labels = random.integers(0, 3, 40)
    settings = resolve(PROTOCOLS.get(protocol), family="custom", weights_source="none", train_images=40)
    settings = msgspec.structs.replace(settings, batch=BATCH)
    feed = Feed(images, labels, np.arange(40), 3, settings, seed)
    phase = settings.phases[0]
    steps = compiled_steps(model, OPTIMIZERS.make(phase.optimizer).build(0.01), settings.loss, part("ema", most=0.9))
    steps._loop.whole_epochs = whole_epochs
    logs = {}
    for epoch in range(2):
        reseed_layers(model, seed, epoch)
        batches = feed.epoch(epoch, epoch * UPDATES, UPDATES)
        assert isinstance(batches, JaxEpoch)
        logs = steps.run(batches, [rate, 2 * rate, rate / 2], epoch * UPDATES)
    return [np.asarray(one) for one in (*model.weights, *steps.averages())], logs


if __name__ == "__main__":
    found = {}
    for protocol in sys.argv[1:]:
        before = programs()
        whole, said = train(protocol, 0, True)
        after = programs()
        start, _ = train(protocol, 1, True, rate=0.03)
        again = programs()
        single, told = train(protocol, 0, False)
        found[protocol] = {
            "difference": max(float(np.abs(one - other).max()) for one, other in zip(whole, single, strict=True)),
            "other_seed": max(float(np.abs(one - other).max()) for one, other in zip(whole, start, strict=True)),
            "metrics": max(abs(said[name] - told[name]) for name in said),
            "programs": len(after - before),
            "more_programs": len(again - after),
        }
    print(json.dumps(found))
