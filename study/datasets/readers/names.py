"""What names mean: words for splits, class names in their order, and the numbers that datasets give their classes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from study.datasets.readers import fer2013

SPLIT_WORDS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "selection", "publictest"),
    "test": ("test", "testing", "privatetest"),
}
#: RAF-DB's numbers (Li et al. 2017), with FER-2013's names for the same emotions.
RAF_DB = dict(zip("1234567", ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"), strict=True))
#: AffectNet's numbers (Mollahosseini et al. 2017); 8 to 10 stand for no emotion, uncertain and no face.
AFFECTNET = dict(
    zip("01234567", ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt"), strict=True)
)
#: Words that datasets of facial expressions use for one emotion, the first being FER-2013's; two letters are JAFFE's.
_EMOTIONS = (
    ("angry", "anger", "an", "mad"),
    ("disgust", "disgusted", "disgusting", "di"),
    ("fear", "fearful", "afraid", "scared", "fe"),
    ("happy", "happiness", "joy", "joyful", "ha"),
    ("sad", "sadness", "sa"),
    ("surprise", "surprised", "su"),
    ("neutral", "neutrality", "ne"),
    ("contempt", "contemptuous"),
)


def split_of(word: str) -> str | None:
    """Return the split that a word stands for, in any case, None for any other word.

    >>> split_of("PublicTest"), split_of("holdout")
    ('validation', None)
    """
    return next((split for split, words in SPLIT_WORDS.items() if word.lower() in words), None)


def emotion(word: str) -> str:
    """Return FER-2013's name for an emotion, whatever its case or form; other words in small letters.

    >>> emotion("Joy"), emotion("Happiness"), emotion("Awe")
    ('happy', 'happy', 'awe')
    """
    plain = " ".join(re.split(r"[\s_-]+", word.lower().strip()))
    return next((words[0] for words in _EMOTIONS if plain in words), plain)


def order_classes(names: Iterable[str]) -> dict[str, str]:
    """Return the name as given by class name, in label order.

    Seven names that mean FER-2013's classes (in any case, or as another word: anger, joy) take its names and official
    order; all others keep their spelling and are sorted.

    >>> order_classes(["sad", "Happy"])
    {'Happy': 'Happy', 'sad': 'sad'}
    """
    found = sorted(names)
    meaning = {emotion(name): name for name in found}
    if len(found) == len(fer2013.CLASSES) and set(meaning) == set(fer2013.CLASSES):
        return {name: meaning[name] for name in fer2013.CLASSES}
    return {name: name for name in found}


def note_on_numbers(classes: Iterable[str]) -> tuple[str, ...]:
    """Return a note for classes that are only numbers, nothing for others."""
    if not all(name.isdecimal() for name in classes):
        return ()
    known = "; ".join(
        f"{title}: " + ", ".join(f"{number} {name}" for number, name in numbers.items())
        for title, numbers in (("RAF-DB", RAF_DB), ("AffectNet", AFFECTNET))
    )
    return (f"The classes are numbers, and the data do not say what they mean. {known}.",)
