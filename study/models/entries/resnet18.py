"""resnet18: the residual network of 18 layers with a first stage for images of 48x48; meant for GPUs."""

from study.models.entry import model


@model(
    "resnet18",
    body="centre crop - Conv 64 - 4 stages of 2 residual blocks, f = 64 128 256 512, global average pooling",
    head="dropout .3 - softmax",
    source="He et al. 2016, arXiv:1512.03385, with a 3x3 stem at full resolution",
    minimum_side_px=24,
    groups=("best",),
)
def build(images, classes):
    """Four stages of two residual blocks, 64 to 512 channels wide."""
    from study.models.residual import residual_network

    return residual_network(images, classes, (64, 128, 256, 512))
