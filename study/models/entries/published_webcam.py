"""published-webcam: the network of the public webcam projects."""

from study.models.entry import model


@model(
    "published-webcam",
    minimum_side_px=24,
    body="Conv 32 - Conv 64 - pool - dropout .25 - Conv 128 - pool - Conv 128 - pool - dropout .25",
    head="Dense 1024 - ReLU - dropout .5 - softmax",
    source="public webcam project with augmentation and callbacks: training 72.4 %, validation 66.3 %",
    groups=("published",),
)
def build(images, classes):
    """Four unpadded 3x3 convolutions and a wide dense layer."""
    from keras import layers

    from study.models.layers import classifier

    x = layers.Conv2D(32, 3, activation="relu")(images)
    x = layers.Conv2D(64, 3, activation="relu")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Dropout(0.25)(x)
    for _ in range(2):
        x = layers.Conv2D(128, 3, activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dropout(0.25)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(1024, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    return classifier(x, classes)
