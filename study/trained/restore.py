"""A stored run as a Keras model again: its entry built anew with its weights."""

from __future__ import annotations

from study.core.errors import UsageError
from study.core.record import Record
from study.core.store import Store
from study.models.entry import MODELS
from study.trained.winner import weights_of
from study.training.backend import chosen_backend, prepare_backend
from study.training.banners import without_banners
from study.training.build import Network, build_network, load_weights


def restore_network(store: Store, record: Record, precision: str | None = None) -> Network:
    """Return the network of a run with its trained weights.

    Weights are portable between Keras' backends, so the one that is chosen here is used. ``precision`` is Keras' dtype
    policy; None for the run's own.

    Raises:
        UsageError: the model entry is unknown or has another version than the run.
        WeightsError: the weights are missing or do not fit.
        DamagedError: they were altered since they were written.
    """
    path = weights_of(store, record)
    spec = record.spec
    entry = MODELS.get(spec.model.name)
    if entry.version != spec.model.version:
        raise UsageError(
            f"{record.key} was trained with {entry.name} version {spec.model.version}, the entry at hand is version "
            f"{entry.version}: use the code of that time, or train again with `study run`."
        )
    with without_banners():
        prepare_backend(chosen_backend())
        import keras

        keras.config.set_dtype_policy(precision or spec.precision)
        card = record.dataset
        try:
            network = build_network(
                entry, image_shape=card.image_shape, classes=len(card.classes), side_px=spec.side_px
            )
        finally:
            keras.config.set_dtype_policy("float32")
        load_weights(network.model, path, entry.name)
    return network
