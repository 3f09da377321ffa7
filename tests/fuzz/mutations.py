"""Mutations of valid files: bytes flipped, cut, doubled and spliced; fields removed, doubled, of wrong types."""

from __future__ import annotations

import json
import random
import re
from typing import Any

Seeds = list[bytes]

#: Texts that readers tend to trip over.
WORDS = (
    "",
    " ",
    "-1",
    "0",
    "1",
    "255",
    "256",
    "1e308",
    "-1e400",
    "nan",
    "inf",
    "true",
    "null",
    "[]",
    "{}",
    '"',
    "'",
    ",",
    "=",
    "9" * 30,
    "9" * 5000,
    "0x7fffffff",
    "2147483648",
    "18446744073709551616",
    "1_000",
    "\0",
    "\x1b[31m",
    "\ufeff",
    "\u202e",
    "\u0661\u0662",
    "\U0001f600",
    "e\u0301" * 20,
    "../../etc/passwd",
    "/etc/passwd",
    "%s%n",
    "a" * 10_000,
    "\r",
    "\n",
    "\t",
    "1979-05-27T07:32:00Z",
    "\u2028",
)
#: Values of every type that JSON knows, and sizes that nothing has.
VALUES: tuple[Any, ...] = (
    10**400,
    None,
    True,
    False,
    0,
    -1,
    1.5,
    1e308,
    -1e-308,
    2**31,
    2**63,
    10**400,
    "",
    "x",
    "\0",
    "\x1b[31m",
    "\ud800",
    "\U0001f600",
    "a" * 10_000,
    "../../x",
    "nan",
    [],
    {},
    [None],
    [[]],
    [1, "a"],
    {"a": {}},
    {"": 0},
    [0] * 1000,
)
_TOML_VALUES = (
    "0",
    "-1",
    "1.5",
    "1e308",
    "-inf",
    "nan",
    "true",
    '""',
    "[]",
    "{}",
    "9" * 30,
    "[0x" + "f" * 4000 + "]",
    "[1" + "0" * 400 + "]",
    "1" + "0" * 400,
    "[inf]",
    "[1e300, 5e-324]",
    str(list(range(1, 3000))),
    '"' + "x" * 300 + '"',
    '"x"',
    "'../../etc/passwd'",
    "1979-05-27",
    '["all"]',
    "[1, 2]",
    '["cnn2", 1]',
    "[[]]",
    '"all"',
    '"\\u0000"',
    '"\\u001b[31m"',
    "[0.1, -1]",
    "{a = 1}",
    f'"{"a" * 5000}"',
    "0x7fffffffffffffff",
    "1_000_000",
    "[1e-320]",
    "07:32:00",
)
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63, 2**64 - 1)
_TOKENS = re.compile(r"[^\s,=\[\]{}\"']+")


def mutate_bytes(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    """Return bytes with one to four changes that know nothing of the format."""
    for _ in range(rng.randint(1, 4)):
        data = rng.choice(_BYTE_CHANGES)(data, seeds, rng)
    return data


def mutate_text(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    """Return text with one to three changes of words and lines; every fourth time changes of bytes."""
    if rng.random() < 0.25:
        return mutate_bytes(data, seeds, rng)
    text = data.decode("utf-8", "replace")
    for _ in range(rng.randint(1, 3)):
        text = rng.choice(_TEXT_CHANGES)(text, seeds, rng)
    return text.encode("utf-8", "surrogatepass")


def mutate_toml(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    """Return TOML with one to three settings of other values, doubled or gone; every third time changes of text."""
    if rng.random() < 0.35:
        return mutate_text(data, seeds, rng)
    lines = data.decode().split("\n")
    settings = [place for place, line in enumerate(lines) if " = " in line and line[0] != "#"]
    for place in rng.sample(settings, min(len(settings), rng.randint(1, 3))):
        name, _, value = lines[place].partition(" = ")
        change = rng.randrange(5)
        if change == 0:
            name = rng.choice(("model", "seeds", '"\\u202e"', '""', "a.b", name + "s", '"\\u001b[31m"'))
        elif change == 1:
            value = (
                rng.choice((f"[{value}]", f"{{x = {value}}}", f"[{value}, {value}]")) if value[-1:] not in "[," else "1"
            )
        else:
            value = rng.choice(_TOML_VALUES)
        lines[place] = f"{name} = {value}" if rng.random() < 0.9 else ""
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def mutate_json(value: Any, rng: random.Random) -> Any:
    """Return JSON data with one or two changes: values of other types, keys and items removed, doubled, renamed."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.randint(1, 2)):
        value = _change_value(value, rng)
    return value


def _position(data: bytes, rng: random.Random) -> int:
    """Return a place in the data; headers are short, so that a third of all places are in the first bytes."""
    return rng.randrange(min(len(data), 64) if rng.random() < 0.3 else len(data)) if data else 0


def _flip(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[_position(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _number(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    size, place = rng.choice((1, 2, 4, 8)), _position(data, rng)
    number = (rng.choice(NUMBERS) % (1 << 8 * size)).to_bytes(size, rng.choice(("little", "big")))
    return data[:place] + number + data[place + size :]


def _truncate(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    return data[: _position(data, rng)]


def _remove(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    place = _position(data, rng)
    return data[:place] + data[place + rng.randint(1, 64) :]


def _double(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    place = _position(data, rng)
    part = data[place : place + rng.randint(1, 512)]
    return data[:place] + part * rng.randint(2, 5) + data[place + len(part) :]


def _splice(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    other = rng.choice(seeds)
    return data[: _position(data, rng)] + other[_position(other, rng) :]


def _insert(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    place = _position(data, rng)
    what = rng.choice((b"\0" * 16, b"\xff" * 16, rng.randbytes(16), b"\r\n", "\U0001f600".encode()))
    return data[:place] + what + data[place:]


def _word(text: str, seeds: Seeds, rng: random.Random) -> str:
    found = list(_TOKENS.finditer(text))
    if not found:
        return text + rng.choice(WORDS)
    token = rng.choice(found)
    return text[: token.start()] + rng.choice(WORDS) + text[token.end() :]


def _line(text: str, seeds: Seeds, rng: random.Random) -> str:
    lines = text.split("\n")
    place = rng.randrange(len(lines))
    change = rng.randrange(5)
    if change == 0:
        del lines[place]
    elif change == 1:
        lines[place:place] = [lines[place]] * rng.randint(1, 3)
    elif change == 2:
        other = rng.randrange(len(lines))
        lines[place], lines[other] = lines[other], lines[place]
    elif change == 3:
        lines[place] = lines[place][: rng.randrange(len(lines[place]) + 1)]
    else:
        lines.insert(place, rng.choice(WORDS))
    return "\n".join(lines)


def _sign(text: str, seeds: Seeds, rng: random.Random) -> str:
    place = rng.randrange(len(text) + 1)
    return text[:place] + rng.choice(WORDS) + text[place + rng.randrange(2) :]


def _ending(text: str, seeds: Seeds, rng: random.Random) -> str:
    return rng.choice((text.replace("\n", "\r\n"), text.replace("\n", "\r"), text.rstrip("\n"), "\ufeff" + text))


def _change_value(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.93:
        key, change = rng.choice(list(value)), rng.random()
        if change < 0.12:
            del value[key]
        elif change < 0.18:
            value[rng.choice(("", "x", "\0", key + "\u202e"))] = value.pop(key)
        elif change < 0.24:
            value[rng.choice(("extra", key.upper()))] = rng.choice(VALUES)
        else:
            value[key] = _change_value(value[key], rng)
        return value
    if isinstance(value, list) and value and rng.random() < 0.85:
        place, change = rng.randrange(len(value)), rng.random()
        if change < 0.15:
            del value[place]
        elif change < 0.3:
            value.insert(place, value[place])
        else:
            value[place] = _change_value(value[place], rng)
        return value
    if type(value) in (int, float) and abs(value) < 1e300 and rng.random() < 0.5:
        return rng.choice((-value, value * 1000, value + 1, float(value), str(value), int(value)))
    return rng.choice(VALUES)


_BYTE_CHANGES = (_flip, _number, _truncate, _remove, _double, _splice, _insert, _flip, _number)
_TEXT_CHANGES = (_word, _word, _line, _sign, _ending)
