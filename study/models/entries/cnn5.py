"""cnn5: five convolutions with batch normalisation."""

from study.models.entry import model


@model(
    "cnn5",
    body="[Conv f, no bias - BatchNorm - ReLU - pool - dropout .25], f = 64 128 256 512 512",
    head="Dense 256 - ReLU - dropout .5 - softmax",
    source="the five-convolution network of a public FER-2013 notebook, batch-normalised",
    minimum_side_px=32,
    groups=("core",),
)
def build(images, classes):
    """Five 3x3 convolutions, each normalised and halved by pooling."""
    from keras import layers

    from study.models.fast.normalization import batch_normalization
    from study.models.layers import classifier

    x = images
    for filters in (64, 128, 256, 512, 512):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = batch_normalization(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D()(x)
        x = layers.Dropout(0.25)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(256, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    return classifier(x, classes)
