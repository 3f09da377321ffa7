"""A frozen body is run once: its features are kept by content, and the head learns from them what it learned before."""

import keras
import numpy as np
import pytest

from study.core.errors import UsageError
from study.core.spec import RANDOM_FEATURES, Copies, Phase, RunProtocol
from study.models.entry import ModelEntry
from study.protocols.piece import part
from study.training import features as room
from study.training.build import build_network
from study.training.checkpoint import Checkpoint
from study.training.copies import with_copies
from study.training.features import FeatureCache, extractor, head
from study.training.feed import Feed
from study.training.loop import Training
from study.training.predict import Predictor
from tests.changed import replace

CLASSES, TRAIN, VALIDATION, BATCH = 3, 40, 12, 8


def build_body(shape, weights):
    images = keras.Input(shape)
    x = keras.layers.Conv2D(4, 3, activation="relu", name="block2_conv")(images)
    return keras.Model(images, keras.layers.BatchNormalization(name="block2_bn")(x), name="body")


def build_random_body(shape, weights):
    images = keras.Input(shape)
    return keras.Model(images, keras.layers.Dropout(0.5)(keras.layers.Conv2D(4, 3)(images)), name="body")


def make_network(builder=build_body):
    keras.utils.set_random_seed(1)
    entry = ModelEntry("tiny", "1", "transfer", builder, "", "", "", stages=("block2",))
    return build_network(entry, image_shape=(12, 12, 1), classes=CLASSES, side_px=16)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (TRAIN + VALIDATION, 12, 12, 1), dtype=np.uint8)


def train(network, images, cache, augmentation=(), sampling="oversample", copies=0):
    labels = np.arange(len(images)) % 5 % CLASSES
    phase = Phase(
        name="head",
        kind="head",
        trainable="head",
        optimizer=part("adam"),
        rate=0.01,
        updates=15,
        updates_per_epoch=5,
        feature_copies=copies,
    )
    unfrozen = replace(phase, name="stage", kind="stage", trainable="all", updates=5)
    protocol = RunProtocol(
        name="p", phases=(phase, unfrozen), sampling=sampling, augmentation=augmentation, batch=BATCH
    )
    feed = Feed(images, labels, np.arange(TRAIN), CLASSES, protocol, 0)
    predictor = Predictor(network.model)
    validation = images[TRAIN:]
    training = Training(
        network,
        feed,
        validation,
        labels[TRAIN:],
        protocol,
        0,
        predictor,
        Checkpoint(None, "key"),
        lambda event: None,
        cache,
    )
    training.run()
    return training


def test_the_parts_are_the_whole_network(images):
    network = make_network()
    features = Predictor(extractor(network))(images)
    assert features.shape == (len(images), 4)
    assert np.allclose(Predictor(head(network))(features), Predictor(network.model)(images), atol=1e-6)


def test_a_head_on_features_learns_what_it_learns_behind_the_body(images, monkeypatch, tmp_path):
    cached = train(make_network(), images, FeatureCache(tmp_path))
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.setattr("study.training.loop.fixed", lambda network: False)
    plain = train(make_network(), images, FeatureCache())
    assert plain.subject is plain.whole
    for one, other in zip(cached.history, plain.history, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-4)
        assert one.validation_loss == pytest.approx(other.validation_loss, rel=1e-4)
    for one, other in zip(cached.network.model.get_weights(), plain.network.model.get_weights(), strict=True):
        assert np.allclose(one, other, atol=1e-4)


def test_what_is_on_disk_is_not_computed_again(images, monkeypatch, tmp_path):
    network = make_network()
    first = FeatureCache(tmp_path).features(network, images)
    monkeypatch.setattr(room, "extractor", lambda network: pytest.fail("the body ran again"))
    assert np.array_equal(FeatureCache(tmp_path).features(network, images), first)


@pytest.mark.parametrize("changed", ["images", "weights", "precision"])
def test_other_images_weights_or_precision_have_other_features(images, tmp_path, changed):
    network = make_network()
    FeatureCache(tmp_path, "float32").features(network, images)
    if changed == "images":
        images = images.copy()
        images[3, 4, 5] ^= 1
    if changed == "weights":
        network.body.set_weights([weight + 0.5 for weight in network.body.get_weights()])
    FeatureCache(tmp_path, "mixed" if changed == "precision" else "float32").features(network, images)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-5], lambda data: data[:90] + b"x" + data[91:], lambda data: b""]
)
def test_damaged_features_are_computed_again(images, tmp_path, damage):
    network, cache = make_network(), FeatureCache(tmp_path)
    first = cache.features(network, images)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert np.array_equal(cache.features(network, images), first)
    assert file.read_bytes() == whole


def test_a_place_that_cannot_be_written_costs_nothing_but_time(images, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert FeatureCache(blocked / "features").features(make_network(), images).shape == (len(images), 4)


def test_augmented_training_runs_the_body(images, tmp_path):
    train(make_network(), images, FeatureCache(tmp_path), augmentation=(part("affine", flip=True),))
    assert not list(tmp_path.iterdir())


def test_a_body_that_draws_at_random_is_run(images, tmp_path):
    train(make_network(build_random_body), images, FeatureCache(tmp_path))
    assert not list(tmp_path.iterdir())


FLIP = (part("affine", flip=True, rotation_degrees=20.0),)


def test_a_head_learns_from_the_features_of_changed_copies_an_epoch_from_each(images, tmp_path, monkeypatch):
    seen = []
    over = Feed.over
    monkeypatch.setattr(Feed, "over", lambda self, rows, copies: seen.append(rows) or over(self, rows, copies))
    network = make_network()
    training = train(network, images, FeatureCache(tmp_path), augmentation=FLIP, copies=2)
    assert len(list(tmp_path.iterdir())) == 2, "features of the copies and of the validation split"
    (rows,) = seen
    changed = with_copies(images[:TRAIN], Copies(number=2, augmentation=FLIP), 0)[TRAIN:]
    assert not np.array_equal(changed[:TRAIN], changed[TRAIN:])
    fresh = make_network()  # the body was trained in the last phase
    assert np.allclose(rows, Predictor(extractor(fresh))(changed), atol=1e-6)
    feed = training.feed.over(rows, 2)
    batches = [[x.numpy() for x, *_ in feed.epoch(number, 0, 2)] for number in range(3)]
    assert np.array_equal(batches[0], batches[2]), "the third epoch takes the first copies again"
    rows_of_second = {row.tobytes() for row in rows[TRAIN:]}
    assert all(row.tobytes() in rows_of_second for row in np.concatenate(batches[1]))


def test_labels_stay_with_their_copies(images):
    labels = np.arange(len(images)) % CLASSES
    protocol = RunProtocol(name="p", phases=(), batch=BATCH, augmentation=FLIP)
    feed = Feed(images, labels, np.arange(TRAIN), CLASSES, protocol, 0)
    feed = feed.over(np.arange(2 * TRAIN, dtype=np.float32)[:, None], 2)
    for number in range(2):
        for rows, one_hot, _ in feed.epoch(number, 0, 5):
            places = rows.numpy()[:, 0].astype(int)
            assert (places // TRAIN == number).all()
            assert (one_hot.numpy().argmax(axis=1) == labels[places % TRAIN]).all()


def test_copies_whose_labels_would_change_are_refused(images):
    with pytest.raises(UsageError, match="mixup"):
        with_copies(images, Copies(number=1, augmentation=(part("mixup", alpha=1.0),)), 0)


def kernels(seed=1, source=RANDOM_FEATURES, builder=build_body, preprocessing="tf"):
    """Return the first kernels of a body and of its head."""
    keras.utils.set_random_seed(seed)
    entry = ModelEntry("tiny", "1", "transfer", builder, "", "", "", preprocessing, stages=("block2",))
    network = build_network(entry, image_shape=(12, 12, 1), classes=3, side_px=16, weights_source=source)
    return network.body.weights[0].numpy(), network.model.get_layer("probabilities").kernel.numpy()


def test_random_features_are_the_same_in_every_run_and_not_those_of_random_weights():
    (one, head_1), (two, head_2) = kernels(1), kernels(2)
    assert np.array_equal(one, two) and not np.array_equal(head_1, head_2)
    assert not np.array_equal(kernels(1, "none")[0], one)


def test_random_kernels_keep_the_variance_where_nothing_normalises():
    assert kernels()[0].std() == pytest.approx((2 / (9 * (3 + 4))) ** 0.5, rel=0.15)
    one, other = (kernels(builder=build_random_body, preprocessing=name)[0] for name in ("tf", "caffe"))
    assert one.std() == pytest.approx((2 / (9 * 3)) ** 0.5, rel=0.15)
    assert np.allclose(one, 64 * other)
