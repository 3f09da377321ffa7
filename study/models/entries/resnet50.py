"""resnet50: the body of ResNet50 from keras.applications."""

from study.models.entry import PublishedWeights, model


@model(
    "resnet50",
    family="transfer",
    body="ResNet50 without top, global average pooling",
    head="dropout .3 - softmax",
    source="He et al. 2016, arXiv:1512.03385; keras.applications",
    preprocessing="caffe",
    minimum_side_px=32,
    stages=("conv5", "conv4", "conv3", "conv2", "conv1"),
    published={
        "imagenet": PublishedWeights(
            "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "4d473c1dd8becc155b73f8504c6f6626",
            megabytes=95,
            licence="MIT (Microsoft Research's model, converted by Keras)",
            folder="resnet/",
        )
    },
    groups=("core", "transfer"),
)
def build(shape, weights):
    """ResNet50 without its classifier."""
    from keras.applications import ResNet50

    return ResNet50(include_top=False, weights=weights, input_shape=shape, name="resnet50")
