"""resnet18_hub: the body of ResNet18 from KerasHub, which keras.applications lacks; needs the extra `hub`."""

from study.core.errors import UsageError
from study.models.entry import model


@model(
    "resnet18_hub",
    family="transfer",
    body="ResNet18 without top, global average pooling",
    head="dropout .3 - softmax",
    source="He et al. 2016, arXiv:1512.03385; KerasHub",
    preprocessing="torch",
    minimum_side_px=32,
    stages=("stack3", "stack2", "stack1", ("stack0", "conv1")),
    groups=("transfer",),
)
def build(shape, weights):
    """ResNet18 without its classifier."""
    import keras

    try:
        from keras_hub.models import ResNetBackbone
    except ImportError as error:
        raise UsageError(
            f"resnet18_hub needs KerasHub ({error}): pip install -c constraints.txt '.[hub]', or name another."
        ) from error
    body = ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[2, 2, 2, 2],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="basic_block",
        image_shape=shape,
    )
    # A plain functional model: KerasHub's own class has ideas on saving and copying that nothing here needs.
    return keras.Model(body.input, body.output, name="resnet18_hub")
