"""Grad-CAM gives the maps that its definition gives, at the last convolution of any network, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from study.core.errors import UsageError
from study.models.entry import MODELS
from study.trained.explanation import overlaid, write_panels
from study.trained.gradcam import GradCam, last_convolution
from study.trained.images import Foreign
from study.training.build import build_network
from tests.trained.runs import register_small


@pytest.fixture(scope="module")
def model(registered_models: None) -> keras.Model:
    register_small()
    keras.utils.set_random_seed(0)
    return build_network(MODELS.get("small"), image_shape=(48, 48, 1), classes=7, side_px=48).model


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 48, 48, 1), dtype=np.uint8)


def test_maps_follow_from_the_definition(model: keras.Model, images: np.ndarray) -> None:
    classes = np.array([0, 3, 6, 3, 1])
    maps = keras.Model(model.input, model.get_layer("last_relu").output)(images)
    head = keras.models.Sequential(model.layers[model.layers.index(model.get_layer("last_relu")) + 1 :][:-1])
    dense = model.layers[-1]
    heat = np.zeros(maps.shape[:3], np.float32)
    for image, label in enumerate(classes):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            score = (tf.matmul(head(maps, training=False), dense.kernel) + dense.bias)[image, label]
        weights = tape.gradient(score, maps)[image].numpy().mean(axis=(0, 1))
        heat[image] = np.maximum((maps[image].numpy() * weights).sum(axis=-1), 0)
    heat /= np.maximum(heat.max(axis=(1, 2), keepdims=True), 1e-12)
    found = GradCam(model)(images, classes)
    assert found.shape == (5, 24, 24) and found.dtype == np.float32
    assert np.abs(found - heat).max() < 1e-4


def test_the_network_is_as_before(model: keras.Model, images: np.ndarray) -> None:
    before = model(images, training=False).numpy()
    cam = GradCam(model)
    cam(images, np.zeros(5, np.int64))
    assert np.array_equal(model(images, training=False).numpy(), before)
    assert "call" not in vars(cam.layer) and "call" not in vars(model.layers[-1])


def test_many_images_are_as_few(model: keras.Model, images: np.ndarray) -> None:
    cam = GradCam(model)
    many = np.concatenate([images] * 8)
    labels = np.arange(len(many)) % 7
    alone = np.concatenate([cam(image[None], label[None]) for image, label in zip(many, labels, strict=True)])
    assert np.abs(cam(many, labels) - alone).max() < 1e-3


def test_the_last_convolution_is_found_inside_models_and_after_its_activation(model: keras.Model) -> None:
    assert last_convolution(model).name == "last_relu"
    inner_input = keras.Input((8, 8, 2))
    x = keras.layers.Conv2D(3, 3, padding="same", name="early")(inner_input)
    y = keras.layers.Conv2D(3, 3, padding="same", name="late")(x)
    y = keras.layers.BatchNormalization()(y)
    body = keras.Model(inner_input, keras.layers.ReLU(name="joined")(keras.layers.Add()([x, y])))
    images = keras.Input((8, 8, 2))
    pooled = keras.layers.GlobalAveragePooling2D()(body(images))
    whole = keras.Model(images, keras.layers.Dense(4, activation="softmax")(pooled))
    cam = GradCam(whole)
    assert cam.layer.name == "joined" and cam.place == "joined (8x8)"
    assert cam(np.ones((2, 8, 8, 2), np.float32), np.array([0, 1])).shape == (2, 8, 8)


def test_without_a_dense_softmax_probabilities_are_asked(images: np.ndarray) -> None:
    inputs = keras.Input((48, 48, 1))
    maps = keras.layers.Conv2D(4, 5, strides=4)(inputs)
    outputs = keras.layers.Softmax()(keras.layers.GlobalAveragePooling2D()(maps))
    heat = GradCam(keras.Model(inputs, outputs))(images.astype(np.float32), np.zeros(5, np.int64))
    assert heat.shape == (5, 11, 11) and np.isfinite(heat).all()


def test_a_network_without_convolutions_is_one_line() -> None:
    inputs = keras.Input((8, 8, 1))
    dense = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(inputs))
    with pytest.raises(UsageError, match="has none"):
        GradCam(keras.Model(inputs, dense, name="flat"))


def test_heat_colours_the_picture_where_it_is_hot() -> None:
    image = np.full((48, 48, 1), 100, np.uint8)
    heat = np.zeros((3, 3), np.float32)
    heat[0, 0] = 1
    picture = overlaid(image, heat)
    assert picture.shape == (48, 48, 3) and picture.min() >= 0 and picture.max() <= 1
    assert np.allclose(picture[-1, -1], 100 / 255) and np.abs(picture[2, 2] - 100 / 255).max() > 0.2


def test_panels_are_drawn_for_every_class_with_images(model: keras.Model, images: np.ndarray, tmp_path: Path) -> None:
    labels = np.array([0, 0, 3, 3, 6])
    foreign = Foreign(images, labels, labels.astype(str), labels.astype("S1"), "all", {}, {}, False, None)
    right = np.eye(7, dtype=np.float32)[[0, 1, 3, 3, 2]]
    classes = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    written = write_panels(GradCam(model), foreign, right, classes, tmp_path, "gradcam-run", ["a run"])
    assert [path.name for path in written] == [f"gradcam-run-{name}.png" for name in ("angry", "happy", "neutral")]
    first = [path.read_bytes() for path in written]
    write_panels(GradCam(model), foreign, right, classes, tmp_path, "gradcam-run", ["a run"])
    assert [path.read_bytes() for path in written] == first, "the same examples each time"
