"""published-cnn3: the three-block network that overfits without augmentation."""

from study.models.entry import model


@model(
    "published-cnn3",
    body="[Conv f - ReLU - Conv f - ReLU - pool - dropout .25], f = 64 128 256",
    head="Dense 512 - ReLU - dropout .5 - softmax",
    source="public three-block CNN: training 92 %, validation 65 %",
    groups=("published",),
)
def build(images, classes):
    """Three blocks of two 3x3 convolutions; widths are the usual ones, the project's description leaves them open."""
    from keras import layers

    from study.models.layers import classifier

    x = images
    for filters in (64, 128, 256):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
        x = layers.Dropout(0.25)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(512, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    return classifier(x, classes)
