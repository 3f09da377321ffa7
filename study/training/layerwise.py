"""Layer-wise rates: an optimizer that gives each block of a body a share of the rate of the block above it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from study.training.build import Network


def block_factors(network: Network, decay: float) -> list[float]:
    """Return the share of the rate for each trainable variable of the model, in the model's order.

    The head has 1, the body's top block ``decay``, each block below it ``decay`` times as much as the block above. What
    belongs to no block has the lowest block's share.

    Args:
        network: A transfer network.
        decay: Share of the rate from block to block, above 0, at most 1.
    """
    of_variable: dict[int, float] = {}
    for layer in network.body.layers:  # type: ignore[union-attr]
        for variable in layer.trainable_variables:
            of_variable[id(variable)] = decay ** (network.entry.block_of(layer.name) + 1)
    return [of_variable.get(id(variable), 1.0) for variable in network.model.trainable_variables]


def with_factors(optimizer: Any, factors: Sequence[float]) -> Any:
    """Return an optimizer of the same kind and settings that multiplies the rate by a factor for each variable.

    Scaling gradients instead would change nothing under Adam, which divides by their size.

    Args:
        optimizer: A Keras optimizer that is not built yet.
        factors: One for each of the variables that it will be built with, in their order.
    """
    kind = type(optimizer)

    class Layerwise(kind):  # type: ignore[misc, valid-type]
        """The optimizer with a factor for each variable."""

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            """Update one variable by its share of the rate."""
            factor = factors[self._get_variable_index(variable)]
            super().update_step(gradient, variable, learning_rate * factor)

    Layerwise.__name__ = kind.__name__
    return Layerwise.from_config(optimizer.get_config())
