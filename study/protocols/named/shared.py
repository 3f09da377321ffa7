"""The shared four: they differ in sampling and augmentation only."""

from study.protocols.protocol import Protocol, register

#: Cutout: DeVries and Taylor 2017, arXiv:1708.04552; the rest are the usual small changes of pose.
STANDARD = {
    "flip": True,
    "rotation_degrees": 10,
    "translation": 0.1,
    "zoom": 0.1,
    "cutout_side": 0.25,
    "cutout_probability": 0.5,
}

for name, sampling, augmentation in (
    ("baseline", "none", {}),
    ("oversample", "oversample", {}),
    ("augment", "none", STANDARD),
    ("oversample+augment", "oversample", STANDARD),
):
    register(Protocol(name, sampling=sampling, augmentation=augmentation, groups=("shared",)), __file__)
