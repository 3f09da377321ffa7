"""convnext_tiny: the body of ConvNeXtTiny from keras.applications."""

from study.models.entry import PublishedWeights, model


@model(
    "convnext_tiny",
    family="transfer",
    body="ConvNeXtTiny without top, global average pooling",
    head="dropout .3 - softmax",
    source="Liu et al. 2022, arXiv:2201.03545; keras.applications",
    preprocessing="inside",
    minimum_side_px=32,
    stages=(
        ("layer_normalization", "convnext_tiny_stage_3", "convnext_tiny_downsampling_block_2"),
        ("convnext_tiny_stage_2", "convnext_tiny_downsampling_block_1"),
        ("convnext_tiny_stage_1", "convnext_tiny_downsampling_block_0"),
        ("convnext_tiny_stage_0", "convnext_tiny_stem"),
    ),
    published={
        "imagenet": PublishedWeights(
            "convnext_tiny_notop.h5",
            "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
            megabytes=111,
            licence="MIT (Meta, converted by Keras)",
            folder="convnext/",
        )
    },
    groups=("transfer",),
)
def build(shape, weights):
    """ConvNeXtTiny without its classifier."""
    from keras.applications import ConvNeXtTiny

    return ConvNeXtTiny(include_top=False, weights=weights, input_shape=shape, name="convnext_tiny")
