"""Every registered protocol resolves, samples and augments within its promises."""

import json

import msgspec
import numpy as np
import pytest

from study.core.spec import RunProtocol
from study.protocols import PROTOCOLS, resolve
from study.training.feed import Feed
from tests.changed import replace

N, CLASSES = 90, 3


@pytest.fixture(scope="module")
def arrays():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (N, 16, 16, 1), dtype=np.uint8)
    labels = np.repeat(np.arange(CLASSES), [60, 20, 10]).astype(np.int64)
    return images, labels


def feed(name, arrays, seed=0, batch=8):
    images, labels = arrays
    protocol = resolve(PROTOCOLS.get(name), family="custom", weights_source="none", train_images=N)
    protocol = replace(protocol, batch=batch)
    return Feed(images, labels, np.arange(N), CLASSES, protocol, seed)


def batches(one, number, first, count):
    return [tuple(np.asarray(part) for part in batch) for batch in one.epoch(number, first, count)]


@pytest.mark.parametrize("family", ["custom", "transfer"])
@pytest.mark.parametrize("name", PROTOCOLS.names())
def test_a_protocol_resolves_to_json_with_whole_epochs(name, family):
    data = resolve(PROTOCOLS.get(name), family=family, weights_source="imagenet", train_images=N)
    assert msgspec.convert(json.loads(json.dumps(data.to_json())), RunProtocol) == data
    assert data.phases, "a protocol needs a phase"
    for phase in data.phases:
        assert phase.updates_per_epoch == -(-N // data.batch)
        assert phase.updates % phase.updates_per_epoch == 0


@pytest.mark.parametrize("name", PROTOCOLS.names())
def test_batches_are_uint8_full_and_decided_by_the_seed(name, arrays):
    first = batches(feed(name, arrays), 0, 0, 3)
    again = batches(feed(name, arrays), 0, 0, 3)
    other = batches(feed(name, arrays, seed=1), 0, 0, 3)
    assert all(x.dtype == np.uint8 and x.shape == (8, 16, 16, 1) for x, _, _ in first)
    assert all(np.allclose(y.sum(axis=1), 1, atol=1e-5) for _, y, _ in first)
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a[0], b[0]) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("name", PROTOCOLS.names())
def test_an_epoch_is_the_same_whether_or_not_earlier_ones_were_drawn(name, arrays):
    """What resuming rests on: no generator carries state from epoch to epoch."""
    through = feed(name, arrays)
    batches(through, 0, 0, 4)
    later = batches(through, 1, 4, 4)
    fresh = batches(feed(name, arrays), 1, 4, 4)
    assert all(np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in zip(later, fresh, strict=True))


@pytest.mark.parametrize("name", ["oversample", "oversample+augment", "as-published/cnn5-notebook"])
def test_oversampling_balances_the_classes_with_the_same_number_of_updates(name, arrays):
    one = feed(name, arrays, batch=9)
    assert len(one.pool) == 180 and len(one.images) == N, "indices grow, images do not"
    counts = sum(y.sum(axis=0) for _, y, _ in batches(one, 0, 0, 20))
    assert counts.tolist() == [60, 60, 60]


def test_no_thread_tunes_the_pipeline(arrays):
    """Such a thread sleeps up to a minute at a time, and the end of an epoch can have to wait for it."""
    assert feed("baseline", arrays).epoch(0, 0, 3).options().autotune.enabled is False
