"""mobilenet_v2: the body of MobileNetV2 from keras.applications."""

from study.models.entry import PublishedWeights, model


@model(
    "mobilenet_v2",
    family="transfer",
    body="MobileNetV2 without top, global average pooling",
    head="dropout .3 - softmax",
    source="Sandler et al. 2018, arXiv:1801.04381; keras.applications",
    preprocessing="tf",
    minimum_side_px=32,
    stages=(
        ("Conv_1", "block_16_", "block_15_", "block_14_"),
        ("block_13_", "block_12_", "block_11_"),
        ("block_10_", "block_9_", "block_8_", "block_7_"),
        ("block_6_", "block_5_", "block_4_"),
        ("block_3_", "block_2_", "block_1_", "expanded_conv", "bn_Conv1", "Conv1"),
    ),
    published={
        "imagenet": PublishedWeights(
            "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
            "",  # Keras publishes none
            megabytes=9,
            licence="Apache 2.0 (Google)",
            folder="mobilenet_v2/",
        )
    },
    groups=("transfer",),
)
def build(shape, weights):
    """MobileNetV2 without its classifier."""
    from keras.applications import MobileNetV2

    from study.models.fast.normalization import settle_sooner

    return settle_sooner(MobileNetV2(include_top=False, weights=weights, input_shape=shape, name="mobilenet_v2"))
