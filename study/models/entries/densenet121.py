"""densenet121: the body of DenseNet121 from keras.applications."""

from study.models.entry import PublishedWeights, model


@model(
    "densenet121",
    family="transfer",
    body="DenseNet121 without top, global average pooling",
    head="dropout .3 - softmax",
    source="Huang et al. 2017, arXiv:1608.06993; keras.applications",
    preprocessing="torch",
    minimum_side_px=32,
    stages=(("bn", "conv5"), ("pool4", "conv4"), ("pool3", "conv3"), ("pool2", "conv2"), "conv1"),
    published={
        "imagenet": PublishedWeights(
            "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "30ee3e1110167f948a6b9946edeeb738",
            megabytes=29,
            licence="BSD 3-Clause (the authors', converted by Keras)",
            folder="densenet/",
        )
    },
    groups=("transfer",),
)
def build(shape, weights):
    """DenseNet121 without its classifier."""
    from keras.applications import DenseNet121

    return DenseNet121(include_top=False, weights=weights, input_shape=shape, name="densenet121")
