"""mobilenet_v3_small: the body of MobileNetV3Small from keras.applications."""

from study.models.entry import PublishedWeights, model


@model(
    "mobilenet_v3_small",
    family="transfer",
    body="MobileNetV3Small without top, global average pooling",
    head="dropout .3 - softmax",
    source="Howard et al. 2019, arXiv:1905.02244; keras.applications",
    preprocessing="inside",
    minimum_side_px=32,
    stages=(
        ("conv_1", "expanded_conv_10_", "expanded_conv_9_", "expanded_conv_8_"),
        ("expanded_conv_7_", "expanded_conv_6_", "expanded_conv_5_", "expanded_conv_4_", "expanded_conv_3_"),
        ("expanded_conv_2_", "expanded_conv_1_"),
        ("expanded_conv", "conv"),
    ),
    published={
        "imagenet": PublishedWeights(
            "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
            "d3e8ec802a04aa4fc771ee12a9a9b836",
            megabytes=4,
            licence="Apache 2.0 (Google)",
            folder="mobilenet_v3/",
        )
    },
    groups=("transfer",),
)
def build(shape, weights):
    """MobileNetV3Small without its classifier."""
    from keras.applications import MobileNetV3Small

    from study.models.fast.normalization import settle_sooner

    body = MobileNetV3Small(include_top=False, weights=weights, input_shape=shape, name="mobilenet_v3_small")
    return settle_sooner(body)
