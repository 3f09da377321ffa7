"""Keras as users write it: float32 arrays into `fit`; ImageDataGenerator where training images are augmented."""

import time

import keras
import numpy as np
from keras import layers

from study.bench.task import PREDICT_BATCH, Turn

BLOCKS = {"cnn3": (32, 64, 128), "cnn5": (64, 128, 256, 512, 512)}
BODIES = {"vgg16": keras.applications.VGG16, "resnet50": keras.applications.ResNet50}


def build(task):
    """Return the network of a task; cnn5 is batch-normalised, the two large ones resize in front of their body."""
    if task.model in BODIES:
        side = task.side_px
        return keras.Sequential(
            [
                keras.Input((48, 48, 3)),
                *([layers.Resizing(side, side)] if side != 48 else []),
                BODIES[task.model](include_top=False, weights=None, input_shape=(side, side, 3)),
                layers.GlobalAveragePooling2D(),
                layers.Dropout(0.3),
                layers.Dense(task.classes, activation="softmax"),
            ]
        )
    model = keras.Sequential([keras.Input((48, 48, 1))])
    for filters in BLOCKS[task.model]:
        if task.model == "cnn5":
            model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
            model.add(layers.BatchNormalization(momentum=0.9))
            model.add(layers.ReLU())
        else:
            model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D())
        model.add(layers.Dropout(0.25))
    model.add(layers.Flatten())
    model.add(layers.Dense(256, activation="relu"))
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(task.classes, activation="softmax"))
    return model


class Clock(keras.callbacks.Callback):
    """Time from the end of an epoch's first batch to the end of its last: what `fit` sets up does not count."""

    def on_train_batch_end(self, batch, logs=None):
        """Note when the first and the latest batch ended."""
        self.last, self.batches = time.perf_counter(), batch
        if batch == 0:
            self.first = self.last


class Plain:
    """The network with its arrays; see `study.bench.task`."""

    macs = 0

    def __init__(self, task, images, labels):
        keras.utils.set_random_seed(0)
        self.batch = task.batch
        if task.model in BODIES:
            prepare = {"vgg16": keras.applications.vgg16, "resnet50": keras.applications.resnet}[task.model]
            self.images = prepare.preprocess_input(np.repeat(images, 3, axis=-1).astype("float32"))
        else:
            self.images = images.astype("float32") / 255
        self.labels = keras.utils.to_categorical(labels, task.classes)
        self.model = build(task)
        self.model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        self.parameters = self.model.count_params()

    def train(self, updates):
        """Fit arrays."""
        count = min((updates + 1) * self.batch, len(self.images))
        images, labels = self.images[:count], self.labels[:count]
        return self._fit(x=images, y=labels, batch_size=self.batch)

    def train_augmented(self, updates):
        """Fit what ImageDataGenerator gives: what it has of the protocol `augment`, and cutout as its users add it."""
        from keras.src.legacy.preprocessing.image import ImageDataGenerator

        generator = ImageDataGenerator(
            horizontal_flip=True,
            rotation_range=10,
            width_shift_range=0.1,
            height_shift_range=0.1,
            zoom_range=0.1,
            preprocessing_function=cut_out,
        )
        flow = generator.flow(self.images, self.labels, batch_size=self.batch)
        return self._fit(x=flow, steps_per_epoch=updates + 1)

    def _fit(self, **what):
        clock = Clock()
        history = self.model.fit(**what, epochs=1, verbose=0, callbacks=[clock]).history
        return Turn(clock.batches * self.batch, clock.last - clock.first, history["loss"][0])

    def predict(self, batches):
        """Predict arrays."""
        count, start = batches * PREDICT_BATCH, time.perf_counter()
        for first in range(0, count, len(self.images)):
            self.model.predict(self.images[: count - first], batch_size=PREDICT_BATCH, verbose=0)
        return Turn(count, time.perf_counter() - start)


def cut_out(image):
    """Paint a grey square of a quarter side over one image in two."""
    if np.random.random() < 0.5:
        side = image.shape[0] // 4
        top, left = np.random.randint(0, image.shape[0] - side, 2)
        image[top : top + side, left : left + side] = image.mean()
    return image


def make(task, images, labels):
    """Return the contestant."""
    return Plain(task, images, labels)
