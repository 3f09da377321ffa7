"""Which weights a run starts from: resolves ``auto``, finds cached files and checks their hashes."""

from __future__ import annotations

import functools
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from study.core.errors import WeightsError
from study.core.files import open_regular
from study.core.record import Pretraining
from study.core.spec import RANDOM_FEATURES
from study.models.entry import ModelEntry, PublishedWeights
from study.models.pretraining_info import read_pretraining
from study.models.weights_form import check_form

#: Where Keras fetches the weights of keras.applications from; asked only whether it answers.
KERAS_WEIGHTS_ADDRESS = "https://storage.googleapis.com/tensorflow/keras-applications/"
REACH_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class WeightsChoice:
    """The start of a run, resolved."""

    source: str  #: ``none`` (random), ``random-features`` (random and frozen), ``imagenet`` or ``file``.
    #: Identity of the file: sha256 for files, the published hash after ``md5:`` or ``sha256:`` for Keras' own; empty
    #: for ``none``.
    sha256: str = ""
    path: Path | None = None  #: The file, where it is known to be there.
    note: str = ""  #: What the plan says: cached, to be downloaded, or why random.
    #: What a file says of its making (``study.models.pretraining_info``), or None.
    pretraining: Pretraining | None = None


def resolve_weights(entry: ModelEntry, choice: str) -> WeightsChoice:
    """Decide what a model starts from; takes no more than a directory look-up and, for ``auto``, one short request.

    Args:
        entry: The model.
        choice: ``none``, ``random-features``, ``imagenet`` (never falls back), ``auto`` (ImageNet where Keras can get
            it) or a file's path. Custom networks have no published weights and start at random for all but a file.

    Raises:
        WeightsError: the file is missing, damaged or another model's, or a cached file has another hash than Keras
            published.
    """
    published = entry.published.get("imagenet")
    if choice == RANDOM_FEATURES and entry.family == "transfer":
        return WeightsChoice(RANDOM_FEATURES, note="random features: random numbers, the same in every run, frozen")
    if choice in ("none", RANDOM_FEATURES) or (choice in ("auto", "imagenet") and published is None):
        return WeightsChoice("none", note="random weights" if entry.family == "transfer" else "")
    if choice not in ("auto", "imagenet"):
        path = Path(choice)
        if not path.is_file():
            raise WeightsError(
                f"--weights takes none, {RANDOM_FEATURES}, imagenet, auto or an existing file, got {choice!r}."
            )
        pretraining = file_pretraining(path, entry)
        note = f"from {path.name}" + (f", {pretraining.words()}" if pretraining else "")
        return WeightsChoice("file", hash_file(path, "sha256"), path, note, pretraining)
    assert published is not None
    cached = cached_path(published)
    if cached is not None:
        digest = published.digest or hash_file(cached, published.algorithm)
        return WeightsChoice("imagenet", f"{published.algorithm}:{digest}", cached, "ImageNet weights, cached")
    if published.digest and can_download():
        note = f"ImageNet weights, to be downloaded ({published.megabytes} MB)"
        return WeightsChoice("imagenet", f"{published.algorithm}:{published.digest}", None, note)
    if choice == "imagenet":
        raise out_of_reach(entry.name, published)
    return WeightsChoice("none", note="random weights: ImageNet's are not cached and cannot be reached")


def file_pretraining(path: Path, entry: ModelEntry) -> Pretraining | None:
    """Return what a weights file says of its making; None where it says nothing.

    Raises:
        WeightsError: the file cannot be read, it was made for another model or another version of it, or it bears the
            name of a published file and is another.
    """
    check_form(path)
    info = read_pretraining(path)
    published = next((one for one in entry.published.values() if one.file == path.name), None)
    if published is not None:
        check_digest(path, published)
    if info and info.model and (info.model, info.version) != (entry.name, entry.version):
        raise WeightsError(
            f"{path.name} was pretrained for {info.model} (version {info.version}), {entry.name} (version "
            f"{entry.version}) cannot start from it: study pretrain --model {entry.name} --data DIR --out FILE."
        )
    return info


def keras_cache() -> Path:
    """Return the folder in which Keras keeps downloaded weights."""
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"


def cached_path(published: PublishedWeights) -> Path | None:
    """Return the cached file of published weights, or None.

    Raises:
        WeightsError: the file is there but damaged or foreign.
    """
    path = keras_cache() / published.file
    if not path.is_file():
        return None
    check_digest(path, published)
    return path


def check_digest(path: Path, published: PublishedWeights) -> None:
    """Refuse a file that bears the name of a published one and is another; where no hash is published, take it.

    Raises:
        WeightsError: the hash differs: the file is damaged, truncated or foreign.
    """
    if not published.digest:
        return
    found = hash_file(path, published.algorithm)
    if found != published.digest:
        raise WeightsError(
            f"{path} must have {published.algorithm} {published.digest} as Keras published it, found {found}: remove "
            f"it to get it again, or put the right {published.megabytes} MB there."
        )


def address(published: PublishedWeights) -> str:
    """Return where Keras publishes a file."""
    return f"{KERAS_WEIGHTS_ADDRESS}{published.folder}{published.file}"


def out_of_reach(name: str, published: PublishedWeights) -> WeightsError:
    """Return the error for a published file that is not cached and cannot be downloaded from here."""
    proof = f"{published.algorithm} {published.digest}" if published.digest else "Keras publishes no hash of it"
    return WeightsError(
        f"ImageNet's weights of {name} are not cached and cannot be downloaded from here: get {address(published)} "
        f"({published.megabytes} MB, {proof}), put it into {keras_cache()}, or start from something else (--weights)."
    )


@functools.cache
def can_download() -> bool:
    """Return whether the place that Keras downloads weights from answers within two seconds."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    try:
        urlopen(Request(KERAS_WEIGHTS_ADDRESS, method="HEAD"), timeout=REACH_TIMEOUT_S).close()
    except HTTPError:
        return True  # it answered; the folder itself need not be listable
    except (OSError, ValueError):
        return False
    return True


@functools.cache
def hash_file(path: Path, algorithm: str) -> str:
    """Return the hash (hex) of a file, read once in a process."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, algorithm).hexdigest()  # type: ignore[arg-type]
