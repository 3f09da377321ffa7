"""vgg16: the body of VGG16 from keras.applications."""

from study.models.entry import PublishedWeights, model


@model(
    "vgg16",
    family="transfer",
    body="VGG16 without top, global average pooling",
    head="dropout .3 - softmax",
    source="Simonyan and Zisserman 2015, arXiv:1409.1556; keras.applications",
    preprocessing="caffe",
    minimum_side_px=32,
    stages=("block5", "block4", "block3", "block2", "block1"),
    published={
        "imagenet": PublishedWeights(
            "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "6d6bbae143d832006294945121d1f1fc",
            megabytes=59,
            licence="CC BY 4.0 (Visual Geometry Group)",
            folder="vgg16/",
        )
    },
    groups=("core", "transfer"),
)
def build(shape, weights):
    """VGG16 without its classifier."""
    from keras.applications import VGG16

    return VGG16(include_top=False, weights=weights, input_shape=shape, name="vgg16")
