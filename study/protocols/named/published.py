"""What the public projects did, one protocol each, as their authors describe it."""

from study.core.spec import Plateau
from study.protocols.piece import part
from study.protocols.protocol import ADAM, PhasePlan, Protocol, register


def published(name: str, phase: PhasePlan, source: str, **more: object) -> None:
    """Register ``as-published/NAME`` for custom networks; transfer bodies would take the same single phase."""
    protocol = Protocol(
        f"as-published/{name}",
        custom=(phase,),
        transfer=(phase,),
        groups=("published",),
        source=source,
        **more,  # type: ignore[arg-type]
    )
    register(protocol, __file__)


def fixed(rate: float, epochs: int) -> PhasePlan:
    """Return a phase of Adam at one rate with no stopping, as most public scripts train."""
    return PhasePlan("all", "custom", "all", ADAM, rate, epochs=epochs, patience=None)


published(
    "cnn5-notebook",
    fixed(1e-4, 30),
    "five-convolution notebook with RandomOverSampler; here the oversampling stays inside the training split",
    sampling="oversample",
)
published(
    "cnn3-blocks",
    # At 1e-3, Keras' default, it did not train on FER-2013: not in 1,796 updates of seed 0, after which the fifth
    # convolution was zero for each of 128 images, nor in 300 updates of seeds 1 and 2. At 3e-4 it learns.
    fixed(3e-4, 30),
    "three-block network without augmentation; its rate is not published, and it does not train at 1e-3",
)
published(
    "webcam",
    PhasePlan(
        "all",
        "custom",
        "all",
        ADAM,
        1.5e-4,
        epochs=45,
        patience=None,
        schedule=part("steps", factors=(1.0, 0.5, 0.25)),
    ),
    "webcam project: augmentation, rate 1.5e-4 halved twice",
    augmentation=(part("affine", flip=True, rotation_degrees=10.0, translation=0.1, zoom=0.1),),
)
published("emotionnet", fixed(1e-3, 30), "EmotionNet: csv, 30 epochs")
published(
    "folder",
    PhasePlan("all", "custom", "all", ADAM, 1e-3, epochs=50, patience=5, plateau=Plateau(factor=0.2, patience=3)),
    "network from folders with BatchNorm and Keras' EarlyStopping and ReduceLROnPlateau, saved as .h5",
)
