"""resnet_compact: a residual network of 2.45 million parameters for images of 48x48."""

from study.models.entry import model


@model(
    "resnet_compact",
    body="centre crop - Conv 32 - 4 stages of 2 residual blocks, f = 32 64 128 232, global average pooling",
    head="dropout .3 - softmax",
    source="He et al. 2016, arXiv:1512.03385, narrowed for small images",
    minimum_side_px=24,
    groups=("best",),
)
def build(images, classes):
    """Four stages of two residual blocks, 32 to 232 channels wide."""
    from study.models.residual import residual_network

    return residual_network(images, classes, (32, 64, 128, 232))
