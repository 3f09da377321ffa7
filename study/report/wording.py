"""How numbers, names and the pieces of protocols are written in the report's Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from study.analysis.scores import Statement
from study.core.record import Pretraining
from study.core.spec import RANDOM_FEATURES, Part, Phase, Start

NOTHING = "–"
#: A blank at which no line of a narrow cell is broken.
FIXED_BLANK = "\N{NO-BREAK SPACE}"
#: Marks behind a protocol's name.
UNCONVERGED, HARDLY_TRAINED = "†", "‡"
_ABSOLUTE_PATH = re.compile(r"(?<![\w.+/-])(?:[A-Za-z]:)?(?:[/\\][^\s/\\:'\",;()]+)+[/\\](?=[^\s/\\:'\",;()]+)")


def escape(text: Any) -> str:
    """Return text that Markdown shows as it is, on one line, also inside a table or a heading."""
    line = re.sub(rf"[^\S{FIXED_BLANK}]+", " ", str(text)).strip()
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("$", "&#36;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", line)


def code(text: Any) -> str:
    """Return text as inline code that is safe inside a table."""
    return "`" + " ".join(str(text).split()).replace("`", "'").replace("|", "\\|") + "`"


def without_paths(text: str) -> str:
    """Shorten absolute paths to their last part: a report names no machine's folders."""
    return _ABSOLUTE_PATH.sub("…/", text)


def percent(share: float | None, digits: int = 1) -> str:
    """Write a share (0..1) in percent, without the sign; a dash where there is none.

    >>> percent(0.5532), percent(None)
    ('55.3', '–')
    """
    return NOTHING if share is None or share != share else f"{100 * share:.{digits}f}"


def points(difference: float | None, digits: int = 1) -> str:
    """Write a difference of shares in percentage points, always signed, with a real minus."""
    if difference is None or difference != difference:
        return NOTHING
    text = f"{100 * difference:+.{digits}f}"
    return "0." + "0" * digits if float(text) == 0 else text.replace("-", "−")


def with_interval(value: Statement, show: Any = percent, show_ends: Any = None) -> str:
    """Write a score with its interval below it in small type, for tables with many columns.

    ``show_ends`` writes the interval's ends where fewer digits must do.
    """
    ends = "" if value.low != value.low else f"<br><sub>{_ends(value, show_ends or show)}</sub>"
    return f"{show(value.value)}{ends}"


def plain_with_interval(value: Statement) -> str:
    """Write a score that is no share with two digits, its interval below it in small type."""
    return with_interval(value, lambda number: plain(number, 2))


def whole_percent(share: float) -> str:
    """Write a share in whole percent, for the ends of intervals in wide tables."""
    return percent(share, 0)


def with_interval_inline(value: Statement, show: Any = percent) -> str:
    """Write a score or a difference with its interval in brackets."""
    return f"{show(value.value)} ({'no interval' if value.low != value.low else _ends(value, show)})"


def in_points(difference: Statement) -> str:
    """Write a difference in percentage points with its interval in brackets."""
    return with_interval_inline(difference, points)


def _ends(value: Statement, show: Any) -> str:
    return f"{show(value.low)}{FIXED_BLANK}to{FIXED_BLANK}{show(value.high)}"


def p_value(value: float) -> str:
    """Write a p-value with two significant digits, never as zero."""
    if value != value:
        return NOTHING
    return f"<{FIXED_BLANK}0.001" if value < 0.001 else f"{value:.3f}" if value < 0.0995 else f"{value:.2f}"


def p_sentence(value: float) -> str:
    """Write a p-value for a sentence: ``p = 0.03`` or ``p < 0.001``."""
    text = p_value(value)
    return f"p{FIXED_BLANK}{text}" if text.startswith("<") else f"p{FIXED_BLANK}={FIXED_BLANK}{text}"


def probability(value: float) -> str:
    """Write a probability with two digits; the ends are never claimed."""
    if value != value:
        return NOTHING
    return f"<{FIXED_BLANK}0.01" if value < 0.01 else f">{FIXED_BLANK}0.99" if value > 0.99 else f"{value:.2f}"


def plain(value: float | None, digits: int = 3) -> str:
    """Write a number with fixed digits; a dash where there is none."""
    return NOTHING if value is None or value != value else f"{value:.{digits}f}"


def large(value: float | None) -> str:
    """Write a count with three significant digits and k, M or G."""
    if value is None:
        return NOTHING
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{_three(value / size)}{FIXED_BLANK}{unit}"
    return f"{value:.0f}"


def duration(seconds: float | None) -> str:
    """Write seconds as a person would say them."""
    if seconds is None:
        return NOTHING
    if seconds < 99.5:
        return f"{_three(seconds) if seconds < 10 else round(seconds)}{FIXED_BLANK}s"
    if seconds < 5970:
        return f"{seconds / 60:.0f}{FIXED_BLANK}min"
    return f"{seconds / 3600:.1f}{FIXED_BLANK}h"


def milliseconds(value: float | None) -> str:
    """Write milliseconds with three significant digits."""
    return NOTHING if value is None else _three(value)


def ranges(numbers: list[int]) -> str:
    """Write ascending integers shortly: ``0-2, 5``.

    >>> ranges([0, 1, 2, 5])
    '0-2, 5'
    """
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)


def listed(words: list[str]) -> str:
    """Join words with commas and a final ``and``.

    >>> listed(["cnn2", "cnn3", "cnn5"])
    'cnn2, cnn3 and cnn5'
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def plural(count: int, word: str) -> str:
    """Write a count with its word: ``1 run``, ``2 runs``.

    >>> plural(1, "run"), plural(2, "run")
    ('1 run', '2 runs')
    """
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def marks(unconverged: bool, hardly_trained: bool) -> str:
    """Return what follows a protocol's name in a table."""
    found = UNCONVERGED * unconverged + HARDLY_TRAINED * hardly_trained
    return FIXED_BLANK + found if found else ""


def weights_words(weights: Start, pretraining: Pretraining | None) -> str:
    """Return what a network starts from; ``pretraining`` is what its file says of its making."""
    if weights.source == "file":
        file = f"file {weights.sha256[:10]}"
        return f"{file}, {pretraining.words()}" if pretraining else file
    known = {
        "none": "random weights",
        RANDOM_FEATURES: "random features",
        "imagenet": "ImageNet",
        "imported": "not known",
    }
    return known.get(weights.source, weights.source)


def augmentation_words(parts: Iterable[Part]) -> str:
    """Return what a protocol's augmentation does, or ``none``.

    >>> augmentation_words([Part(name="affine", settings={"flip": True, "zoom": 0.1}), Part(name="mixup")])
    'affine (flip, zoom 0.1); mixup'
    """
    return "; ".join(map(part_words, parts)) or "none"


def part_words(part: Part) -> str:
    """Return a registered piece with its settings."""
    settings = []
    for name, value in part.settings.items():
        shown = ", ".join(f"{one:g}" for one in value) if isinstance(value, (tuple, list)) else value
        shown = f"{shown:g}" if isinstance(shown, float) else shown
        if value not in (False, None):
            settings.append(name.replace("_", " ") + ("" if value is True else f" {shown}"))
    return f"{part.name} ({', '.join(settings)})" if settings else part.name


def schedule_words(phase: Phase) -> str:
    """Return how a phase changes its rate and which epoch it keeps."""
    words = [] if phase.schedule.name == "constant" else [part_words(phase.schedule)]
    if phase.plateau:
        change = "halved" if phase.plateau.factor == 0.5 else f"×{phase.plateau.factor:g}"
        words.append(f"rate {change} after {plural(phase.plateau.patience, 'epoch')} without improvement")
    words = words or ["constant"]
    if phase.average:
        words.append(f"keeps the average of the weights, {part_words(phase.average)}")
    words.append(f"keeps the {'' if phase.monitor == 'last' else 'epoch with the '}{monitor_words(phase)}")
    if phase.block_decay != 1:
        words.append(f"each block of the body ×{phase.block_decay:g} of the rate above it")
    return "; ".join(words)


def monitor_words(phase: Phase) -> str:
    """Return which epoch a phase keeps; early stopping and the plateau follow the same figure."""
    return {
        "loss": "best validation loss",
        "brier": "best validation Brier score",
        "last": "last epoch, whatever it scores",
    }[phase.monitor]


def _three(value: float) -> str:
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f}"
