"""More protocols from the same parts, each one change away from a shared one (but ``strong``)."""

from study.protocols.named.shared import STANDARD
from study.protocols.protocol import PhasePlan, Protocol, register

register(Protocol("class-weights", sampling="class-weights", groups=("more",)), __file__)
register(
    Protocol(
        "label-smoothing",
        label_smoothing=0.1,
        groups=("more",),
        source="Szegedy et al. 2016, arXiv:1512.00567, section 7",
    ),
    __file__,
)
register(
    Protocol(
        "mixup",
        augmentation={"flip": True},
        mix="mixup",
        groups=("more",),
        source="Zhang et al. 2018, arXiv:1710.09412",
    ),
    __file__,
)
register(
    Protocol(
        "cutmix",
        augmentation={"flip": True},
        mix="cutmix",
        groups=("more",),
        source="Yun et al. 2019, arXiv:1905.04899",
    ),
    __file__,
)

SGD = {"name": "sgd", "rate": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}
register(
    Protocol(
        "strong",
        augmentation={**STANDARD, "zoom": 0.2, "cutout_probability": 1.0},
        label_smoothing=0.1,
        custom=(PhasePlan("all", "custom", "all", SGD, epochs=100, patience=None, schedule="cosine"),),
        transfer=(
            PhasePlan("head", "head", "head", {**SGD, "rate": 0.01}, epochs=8, patience=3),
            PhasePlan("stage-1", "stage", "all", {**SGD, "rate": 0.01}, epochs=40, patience=None, schedule="cosine"),
        ),
        groups=("more",),
        source="recipes of the public repositories that reach 70-74 % from scratch",
    ),
    __file__,
)
