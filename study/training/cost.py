"""Cost: parameters, multiply-accumulates and latency of a network."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from study.models.layers import leaves
from study.training.predict import Predictor

LATENCY_BATCH = 64
LATENCY_BUDGET_S = 1.5
LATENCY_REPEATS = 20


def parameters(model: Any) -> int:
    """Return the number of weights, trainable or not."""
    return int(sum(math.prod(weight.shape) for weight in model.weights))


def macs(model: Any) -> int:
    """Return the multiply-accumulates of one image in convolutions and dense layers; others count as nothing."""
    from keras import layers

    total = 0
    for layer in leaves(model):
        if isinstance(layer, layers.Dense):
            total += math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
        elif isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)):
            height, width = layer.output.shape[1:3]
            kernels = [weight for weight in layer.weights if len(weight.shape) == 4]
            total += height * width * sum(math.prod(kernel.shape) for kernel in kernels)
    return int(total)


def latency(predictor: Predictor, image_shape: tuple[int, int, int]) -> dict[str, Any]:
    """Return the median milliseconds for one image and for a batch of ``LATENCY_BATCH``, after a warm-up."""
    images = np.random.default_rng(0).integers(0, 256, (LATENCY_BATCH, *image_shape), dtype=np.uint8)
    return {
        "latency_single_ms": _median_ms(predictor, images[:1]),
        "latency_batch_ms": _median_ms(predictor, images),
        "latency_batch_size": LATENCY_BATCH,
    }


def _median_ms(predictor: Predictor, images: Any) -> float:
    predictor(images)
    spent: list[float] = []
    while len(spent) < LATENCY_REPEATS and (len(spent) < 3 or sum(spent) < LATENCY_BUDGET_S):
        start = time.perf_counter()
        predictor(images)
        spent.append(time.perf_counter() - start)
    return float(np.median(spent) * 1000)
