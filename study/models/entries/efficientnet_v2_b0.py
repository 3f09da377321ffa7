"""efficientnet_v2_b0: the body of EfficientNetV2B0 from keras.applications."""

from study.models.entry import PublishedWeights, model


@model(
    "efficientnet_v2_b0",
    family="transfer",
    body="EfficientNetV2B0 without top, global average pooling",
    head="dropout .3 - softmax",
    source="Tan and Le 2021, arXiv:2104.00298; keras.applications",
    preprocessing="inside",
    minimum_side_px=32,
    stages=(("top_", "block6"), "block5", "block4", "block3", "block2", ("block1", "stem_")),
    published={
        "imagenet": PublishedWeights(
            "efficientnetv2-b0_notop.h5",
            "893217f2bb855e2983157299931e43ff",
            megabytes=24,
            licence="Apache 2.0 (Google)",
            folder="efficientnet_v2/",
        )
    },
    groups=("transfer",),
)
def build(shape, weights):
    """EfficientNetV2B0 without its classifier."""
    from keras.applications import EfficientNetV2B0

    return EfficientNetV2B0(include_top=False, weights=weights, input_shape=shape)
