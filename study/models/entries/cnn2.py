"""cnn2: two convolutions and one pooling, as in EmotionNet."""

from study.models.entry import model


@model(
    "cnn2",
    body="Conv 32 - ReLU - Conv 64 - ReLU - pool - dropout .25",
    head="Dense 128 - ReLU - dropout .5 - softmax",
    source="EmotionNet, a public two-convolution project on fer2013.csv",
    groups=("core",),
)
def build(images, classes):
    """Two 3x3 convolutions before a single pooling; nearly all weights sit in the first dense layer."""
    from keras import layers

    from study.models.layers import classifier

    x = layers.Conv2D(32, 3, padding="same", activation="relu")(images)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Dropout(0.25)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    return classifier(x, classes)
