"""Fast: faster ways to the same results on TensorFlow without a GPU, and one switch for all of them.

Each was measured (``study bench --parts tricks``, reports/published/bench) and stays because it pays on some processor:
matrix products for convolutions of a few pixels in float32 without bfloat16 instructions (1.2 to 1.4 on whole networks;
nothing with them), normalisation through the fused kernel (1.3 with bfloat16), Adam through TensorFlow's own kernel
(1.20), dropout that decides by bytes (1.12).
"""

from __future__ import annotations

from typing import Any

NORMALISATION, CONVOLUTIONS, DROPOUT, ADAM = "normalisation", "convolutions", "dropout", "adam"
#: Ways that are left out, to measure what they are worth; never in a run.
left_out: set[str] = set()


def used(name: str) -> bool:
    """Return whether a faster way is taken: Keras runs on TensorFlow and nobody left it out."""
    import keras

    return keras.backend.backend() == "tensorflow" and name not in left_out


def quicken(model: Any) -> None:
    """Have a model's layers take the faster ways; weights, configuration and what is saved stay Keras' own."""
    if not (used(CONVOLUTIONS) or used(DROPOUT)):
        return
    import tensorflow as tf

    from study.models.fast.convolutions import quicken_convolutions
    from study.models.fast.dropout import quicken_dropouts

    if tf.config.list_physical_devices("GPU"):
        return
    if used(CONVOLUTIONS):
        quicken_convolutions(model)
    if used(DROPOUT):
        quicken_dropouts(model)
