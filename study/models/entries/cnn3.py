"""cnn3: three blocks of convolution, pooling and dropout."""

from study.models.entry import model


@model(
    "cnn3",
    body="[Conv f - ReLU - pool - dropout .25], f = 32 64 128",
    head="Dense 256 - ReLU - dropout .5 - softmax",
    source="the three-block network of several public FER-2013 projects",
    groups=("core",),
)
def build(images, classes):
    """Three 3x3 convolutions, each halved by pooling."""
    from keras import layers

    from study.models.layers import classifier

    x = images
    for filters in (32, 64, 128):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
        x = layers.Dropout(0.25)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(256, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    return classifier(x, classes)
