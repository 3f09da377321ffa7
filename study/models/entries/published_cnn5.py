"""published-cnn5: the five-convolution network of the 82 % notebook, without batch normalisation."""

from study.models.entry import model


@model(
    "published-cnn5",
    body="[Conv f - ReLU - pool - dropout .25], f = 64 128 256 512 512",
    head="Dense 256 - ReLU - dropout .5 - softmax",
    source="public notebook with RandomOverSampler that claims 82 %",
    minimum_side_px=32,
    groups=("published",),
)
def build(images, classes):
    """Five 3x3 convolutions, each halved by pooling, as cnn5 but for the normalisation."""
    from keras import layers

    from study.models.layers import classifier

    x = images
    for filters in (64, 128, 256, 512, 512):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
        x = layers.Dropout(0.25)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(256, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    return classifier(x, classes)
