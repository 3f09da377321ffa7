"""Every registered piece keeps the promises of its kind: a new piece, also a plugin's, needs no test of its own."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest

from study.core.errors import UsageError
from study.core.spec import Part
from study.protocols.augmentation import Augmenter, generators
from study.protocols.piece import (
    AUGMENTATIONS,
    AVERAGES,
    KINDS,
    LOSSES,
    OPTIMIZERS,
    SAMPLINGS,
    SCHEDULES,
    VIEWS,
    PieceRegistry,
    part,
)

#: Settings that have no default.
NEEDED = {"steps": {"factors": (1.0, 0.5)}}


def made(registry: PieceRegistry, name: str) -> object:
    return registry.make(part(name, **NEEDED.get(name, {})))


def every() -> Iterator[object]:
    for registry in KINDS:
        for name in registry.names():
            yield pytest.param(registry, name, id=f"{registry.kind}-{name}")


@pytest.mark.parametrize(("registry", "name"), list(every()))
def test_a_piece_survives_json_and_refuses_settings_that_it_does_not_have(registry, name):
    piece = made(registry, name)
    settings = msgspec.to_builtins(piece)
    assert registry.make(msgspec.convert({"name": name, "settings": settings}, Part)) == piece
    assert (registry.get(name).__doc__ or "").strip()
    with pytest.raises(UsageError, match=f"unknown setting of {registry.kind} {name!r} 'colour'"):
        registry.make(part(name, colour=1))
    for setting in settings:
        with pytest.raises(UsageError, match="Expected"):
            registry.make(part(name, **{**settings, setting: {"no": "such"}}))


@pytest.mark.parametrize("name", SAMPLINGS.names())
def test_a_sampling_draws_from_the_training_split_alone(name):
    sampling, train = made(SAMPLINGS, name), np.arange(100, 130)
    labels = np.repeat([0, 1, 2], [20, 7, 3])
    pool = sampling.pool(train, labels, seed=3)
    assert pool.dtype == np.int64 and set(pool) == set(train), "no image is lost, none is added"
    assert np.array_equal(pool, sampling.pool(train, labels, seed=3)), "the seed decides"
    weights = sampling.weights(labels, 4)
    assert weights.dtype == np.float32 and weights.shape == (4,) and (weights > 0).all()


@pytest.mark.parametrize("name", AUGMENTATIONS.names())
def test_an_augmentation_keeps_shapes_and_is_decided_by_the_seed(name):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (12, 24, 24, 1), dtype=np.uint8)
    labels = np.eye(3, dtype=np.float32)[random.integers(0, 3, 12)]
    augmenter = Augmenter([part(name, **({"flip": True} if name == "affine" else {}))])
    assert all(generators(change) for change in augmenter.changes)
    outs = []
    for epoch in (0, 0, 1):
        augmenter.reseed(5, epoch)
        x, y = augmenter(images, labels)
        assert np.asarray(x).dtype == np.uint8 and x.shape == images.shape
        assert np.asarray(y).dtype == np.float32 and np.allclose(np.asarray(y).sum(axis=1), 1, atol=1e-5)
        outs.append(np.asarray(x))
    assert np.array_equal(outs[0], outs[1]) and not np.array_equal(outs[0], outs[2])
    assert not np.array_equal(outs[0], images)


@pytest.mark.parametrize("name", LOSSES.names())
def test_a_loss_is_lower_where_the_answer_is_right(name):
    loss = made(LOSSES, name).function()
    label = np.eye(3, dtype=np.float32)[[0]]
    right, wrong = (np.array([row], np.float32) for row in ([0.9, 0.05, 0.05], [0.05, 0.9, 0.05]))
    assert float(loss(label, right)) < float(loss(label, wrong))


@pytest.mark.parametrize("name", SCHEDULES.names())
def test_a_schedule_gives_a_rate_for_every_update(name):
    schedule = made(SCHEDULES, name)
    rates = [schedule.rate(0.1, update, 60, 10) for update in range(60)]
    assert np.isfinite(rates).all() and min(rates) >= 0 and max(rates) == pytest.approx(0.1, rel=0.02)
    doubled = [schedule.rate(0.2, update, 60, 10) for update in range(60)]
    assert np.allclose(doubled, 2 * np.array(rates)), "in proportion to the phase's rate"


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_an_optimizer_starts_at_the_rate_and_goes_downhill(name):
    import keras

    optimizer = made(OPTIMIZERS, name).build(0.125)
    assert float(np.asarray(optimizer.learning_rate)) == 0.125
    variable = keras.Variable(np.ones(3, np.float32))
    optimizer.build([variable])
    optimizer.apply_gradients([(keras.ops.ones(3), variable)])
    assert (np.asarray(variable) < 1).all()


@pytest.mark.parametrize("name", AVERAGES.names())
def test_an_average_keeps_a_share_that_never_falls(name):
    decays = [made(AVERAGES, name).decay(update) for update in range(5000)]
    assert decays[0] >= 0 and decays[-1] < 1 and (np.diff(decays) >= 0).all()


@pytest.mark.parametrize("name", VIEWS.names())
def test_views_begin_with_the_image_itself_and_are_all_different(name):
    shifts = made(VIEWS, name).shifts(48)
    assert shifts[0] == (0, 0, False) and len(set(shifts)) == len(shifts) > 1
    assert all(abs(down) < 24 and abs(right) < 24 for down, right, _ in shifts)
