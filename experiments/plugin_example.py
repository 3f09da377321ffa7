"""A model of your own: python -m study.run --plugin experiments/plugin_example.py --models tiny,cnn3."""

from study.models.entry import model


@model("tiny", source="an example", minimum_side_px=16)
def build(images, classes):
    """Two small convolutions; `images` are 0..1, (n, side, side, channels); return probabilities (n, classes)."""
    from keras import layers

    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(images)
    x = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Flatten()(x)
    return layers.Dense(classes, activation="softmax", dtype="float32")(x)
