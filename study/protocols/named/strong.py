"""Strong: the recipe of the public repositories that reach 70 to 74 % from scratch, without any choice on a split.

SGD with Nesterov momentum, linear warm-up and a cosine to zero, weight decay on kernels, label smoothing, and an
exponential moving average of weights and statistics, which is what is kept after the last epoch.
"""

from dataclasses import replace

from study.protocols.piece import part
from study.protocols.protocol import PhasePlan, Protocol, register

WARP = part("affine", flip=True, rotation_degrees=15.0, translation=0.146, zoom=0.2, probability=0.5)
JITTER = part("jitter", pixels=4)
ERASING = part("erasing", least=0.125, most=0.42, probability=0.5)
PHASE = PhasePlan(
    "all",
    "custom",
    "all",
    part("sgd", momentum=0.9, nesterov=True, kernel_decay=5e-4),
    0.1,
    epochs=138,
    patience=None,
    schedule=part("warmup-cosine", warmup_epochs=5.0),
    monitor="last",
    average=part("ema", most=0.999),
)
#: A pretrained body takes a tenth of the rate.
TRANSFER = (replace(PHASE, kind="stage", rate=0.01, epochs=40),)
STRONG = Protocol(
    "strong",
    augmentation=(WARP, JITTER, ERASING),
    loss=part("cross-entropy", label_smoothing=0.1),
    batch=128,
    custom=(PHASE,),
    transfer=TRANSFER,
    views=part("ten"),
    groups=("strong",),
    source="recipes of the public repositories that reach 70-74 % from scratch",
)

register(STRONG, __file__)
register(
    replace(
        STRONG,
        name="strong+mixup",
        augmentation=(*STRONG.augmentation, part("mixup", alpha=0.2)),
        custom=(replace(PHASE, epochs=233),),
        source="strong, with mixup (Zhang et al. 2018, arXiv:1710.09412) and longer, for larger networks",
    ),
    __file__,
)
