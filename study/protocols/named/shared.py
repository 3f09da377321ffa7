"""The shared four: they differ in sampling and augmentation only."""

from study.protocols.piece import part
from study.protocols.protocol import Protocol, register

#: The usual small changes of pose, and a hole.
STANDARD = (
    part("affine", flip=True, rotation_degrees=10.0, translation=0.1, zoom=0.1),
    part("cutout", side=0.25, probability=0.5),
)

for name, sampling, augmentation in (
    ("baseline", "none", ()),
    ("oversample", "oversample", ()),
    ("augment", "none", STANDARD),
    ("oversample+augment", "oversample", STANDARD),
):
    register(Protocol(name, sampling=sampling, augmentation=augmentation, groups=("shared",)), __file__)
