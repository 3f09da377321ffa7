"""More protocols from the same pieces, each one change away from a shared one."""

from study.protocols.piece import part
from study.protocols.protocol import Protocol, register

FLIP = part("affine", flip=True)

register(Protocol("class-weights", sampling="class-weights", groups=("more",)), __file__)
register(
    Protocol(
        "label-smoothing",
        loss=part("cross-entropy", label_smoothing=0.1),
        groups=("more",),
        source="Szegedy et al. 2016, arXiv:1512.00567, section 7",
    ),
    __file__,
)
register(
    Protocol(
        "mixup", augmentation=(FLIP, part("mixup")), groups=("more",), source="Zhang et al. 2018, arXiv:1710.09412"
    ),
    __file__,
)
register(
    Protocol(
        "cutmix", augmentation=(FLIP, part("cutmix")), groups=("more",), source="Yun et al. 2019, arXiv:1905.04899"
    ),
    __file__,
)
