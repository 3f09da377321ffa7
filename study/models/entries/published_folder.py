"""published-folder: the batch-normalised network trained from image folders and saved as .h5."""

from study.models.entry import model


@model(
    "published-folder",
    body="[Conv f - BatchNorm - ReLU - pool - dropout .25], f = 64 (3x3) 128 (5x5) 512 512",
    head="Dense 256 - Dense 512, each BatchNorm - ReLU - dropout .25 - softmax",
    source="public project that trains from train/ and test/ folders with BatchNorm and saves .h5",
    minimum_side_px=16,
    groups=("published",),
)
def build(images, classes):
    """Four normalised convolutions and two normalised dense layers."""
    from keras import layers

    from study.models.fast.normalization import batch_normalization
    from study.models.layers import classifier

    x = images
    for filters, kernel in ((64, 3), (128, 5), (512, 3), (512, 3)):
        x = layers.Conv2D(filters, kernel, padding="same")(x)
        x = layers.ReLU()(batch_normalization(x))
        x = layers.MaxPooling2D()(x)
        x = layers.Dropout(0.25)(x)
    x = layers.Flatten()(x)
    for width in (256, 512):
        x = layers.ReLU()(batch_normalization(layers.Dense(width)(x)))
        x = layers.Dropout(0.25)(x)
    return classifier(x, classes)
