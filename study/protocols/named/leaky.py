"""Leaky protocols, which let the test split in on purpose to measure what that is worth, and their clean twins."""

from dataclasses import replace
from typing import Any

from study.core.spec import Copies, NewSplit
from study.protocols.named.shared import STANDARD
from study.protocols.protocol import ADAM, CUSTOM, TRANSFER, PhasePlan, Protocol, register

#: All images split anew. On FER-2013 the shares give splits of the official sizes, so that epochs are equally long.
NEW_SPLIT = NewSplit(test=0.1, validation=0.1, seed=0)


#: The leaks of images train for a fixed number of updates at a fixed rate, so that both of a pair have the same; with
#: patience the leaky one, whose validation split leaks too, would go on for longer.
FIXED_CUSTOM = tuple(replace(phase, epochs=30, patience=None, plateau=None) for phase in CUSTOM)
FIXED_TRANSFER = tuple(replace(phase, patience=None, plateau=None) for phase in TRANSFER)


def pair(leaky: Protocol, twin: str, **clean: Any) -> None:
    """Register ``leaky/NAME`` and, with what makes it clean, ``clean-twin/TWIN``."""
    name = f"clean-twin/{twin}"
    register(
        replace(leaky, name=f"leaky/{leaky.name}", twin=name, groups=("leaky",), monitor_test=True),
        __file__,
    )
    register(replace(leaky, name=name, leak="none", groups=("clean-twins",), monitor_test=True, **clean), __file__)


pair(
    Protocol(
        "oversample-before-split",
        sampling="oversample-before-split",
        leak="oversample-before-split",
        new_split=NEW_SPLIT,
        custom=FIXED_CUSTOM,
        transfer=FIXED_TRANSFER,
        source="classes made equal by copying images, then split at random",
    ),
    "oversample-after-split",
    sampling="oversample",
    source="the same images split at random, then classes made equal in the training part",
)
pair(
    Protocol(
        "augment-before-split",
        leak="augment-before-split",
        new_split=NEW_SPLIT,
        custom=FIXED_CUSTOM,
        transfer=FIXED_TRANSFER,
        copies=Copies(number=1, augmentation=STANDARD),
        source="one changed copy of every image, then split at random",
    ),
    "augment-after-split",
    source="the same images split at random, then one changed copy of every image of the training part",
)

# One training, two records: the weights of the best epoch on the test split, and those of the best on validation.
pair(
    Protocol(
        "checkpoint-on-test",
        leak="checkpoint-on-test",
        same_training_as="clean-twin/checkpoint-on-validation",
        source="shared baseline, one training for two checkpoints: lowest validation loss, and highest test accuracy",
    ),
    "checkpoint-on-validation",
    same_training_as="leaky/checkpoint-on-test",
)
register(
    Protocol(
        "leaky/test-as-validation",
        leak="test-as-validation",
        monitor_test=True,
        twin="clean-twin/checkpoint-on-validation",
        groups=("leaky",),
        source="shared baseline with the test split as validation data of checkpoint, stopping and learning rate",
    ),
    __file__,
)

# The notebook that claims 82 %. Its 30 epochs are passes over nine tenths of 62,923 oversampled images, 26,550 updates
# of 64, which are 59 epochs of FER-2013's 28,709 training images. Its share of test images is taken to be one tenth.
pair(
    Protocol(
        "cnn5-notebook",
        sampling="oversample-before-split",
        leak="oversample-before-split",
        new_split=NEW_SPLIT,
        custom=(PhasePlan("all", "custom", "all", ADAM, 1e-4, epochs=59, patience=None),),
        transfer=(PhasePlan("all", "custom", "all", ADAM, 1e-4, epochs=59, patience=None),),
        source="five-convolution notebook that claims 82 %: RandomOverSampler on all images, then a random split",
    ),
    "cnn5-notebook",
    sampling="oversample",
    source="the five-convolution notebook with the split before the oversampling",
)
