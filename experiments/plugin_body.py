"""A body of your own, to pretrain and transfer: study pretrain --plugin experiments/plugin_body.py --model my_body."""

from study.models.entry import model


@model("my_body", family="transfer", preprocessing="tf", minimum_side_px=32, stages=("block2", "block1"))
def build(shape, weights):
    """Two blocks; `shape` is (side, side, 3), the range that of `preprocessing`; return a keras.Model without top."""
    import keras
    from keras import layers

    x = images = keras.Input(shape)
    for block, filters in (("block1", 32), ("block2", 64)):  # `stages` names them from the top down
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name=f"{block}_conv")(x)
        x = layers.ReLU()(layers.BatchNormalization(name=f"{block}_bn")(x))
    return keras.Model(images, x, name="my_body")
