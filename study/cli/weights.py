"""The verb weights: which pretrained weights are here, where they belong, and whether they are what they claim."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from study.cli.app import examples
from study.cli.options import PluginFlag
from study.core.errors import UsageError, WeightsError, unknown_name

if TYPE_CHECKING:
    from study.models.entry import ModelEntry

LIST = "study weights list"
PATH = "study weights path resnet50"
VERIFY = "study weights verify cifar10.weights.h5"
DECLARE = "study weights declare w.h5 --dataset X --images 9 --licence MIT --source URL"

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Tell which pretrained weights are here, where they belong, and whether they are what they claim to be.",
    epilog=examples(LIST, PATH, VERIFY, DECLARE),
)


@app.command("list", epilog=examples(LIST))
def list_(plugin: PluginFlag = None) -> None:
    """List the published weights of every transfer entry and whether they are in Keras' cache (not yet verified)."""
    from tabulate import tabulate

    from study.models.weights import keras_cache

    rows = []
    for entry in transfer_entries(plugin):
        for source, one in entry.published.items():
            state = "here" if (keras_cache() / one.file).is_file() else "missing"
            rows.append([entry.name, source, state, f"{one.megabytes} MB", one.licence, one.file])
        if not entry.published:
            rows.append([entry.name, "none", "", "", "", "start from study pretrain, or from random weights"])
    print(tabulate(rows, headers=["model", "source", "state", "size", "licence", "file"]))
    print(f"\nFolder: {keras_cache()} (KERAS_HOME chooses another). Missing ones are downloaded there when a run needs")
    print("them; where that cannot be, `study weights path MODEL` says what to get and where to put it.")


@app.command(epilog=examples(PATH))
def path(model: Annotated[str, Argument(help="Transfer entry.")], plugin: PluginFlag = None) -> None:
    """Print where a model's published weights belong; then, on standard error, where they come from and their hash."""
    from study.models.weights import address, keras_cache

    entries = {entry.name: entry for entry in transfer_entries(plugin)}
    if model not in entries:
        raise unknown_name("transfer entry", model, entries)
    if not (published := entries[model].published):
        raise UsageError(f"no weights of {model} are published: study pretrain --model {model} makes some.")
    for one in published.values():
        print(keras_cache() / one.file)
        proof = f"{one.algorithm} {one.digest}" if one.digest else "no hash is published"
        typer.echo(f"from {address(one)} ({one.megabytes} MB, {proof}; {one.licence})", err=True)


@app.command(epilog=examples("study weights verify", VERIFY))
def verify(
    names: Annotated[list[str] | None, Argument(help="Models or files; all cached weights if none.")] = None,
    plugin: PluginFlag = None,
) -> None:
    """Read weights byte by byte: published ones against their hash; files for their form and what they fit.

    Which entries a file fits is tried by loading it into each of them, which takes some seconds and needs Keras.
    """
    entries = {entry.name: entry for entry in transfer_entries(plugin)}
    wrong = checked = 0
    for name in names or entries:
        try:
            for line in verified(entries[name], bool(names)) if name in entries else [verified_file(Path(name))]:
                checked += 1
                print(f"ok    {line}")
        except WeightsError as error:
            wrong += 1
            print(f"WRONG {error}")
    if wrong:
        raise WeightsError(f"{wrong} of {wrong + checked} weights cannot be used as they are: see above.")
    if not checked:
        print("No published weights are here: `study weights list` says where they are looked for.")


def verified(entry: ModelEntry, named: bool) -> list[str]:
    """Return a line on each of a transfer entry's cached files, all of them right.

    Raises:
        WeightsError: a file is not the published one, or it was named and is missing.
    """
    from study.models.weights import cached_path, hash_file, out_of_reach
    from study.models.weights_form import check_form

    lines = []
    for source, published in entry.published.items():
        cached = cached_path(published)
        if cached is not None:
            check_form(cached)
            proof = f"{published.algorithm} {hash_file(cached, published.algorithm)}"
            lines.append(f"{entry.name} {source}: {proof}{'' if published.digest else ' (none is published)'}")
        elif named:
            raise out_of_reach(entry.name, published)
    return lines


@app.command(epilog=examples(DECLARE))
def declare(
    file: Annotated[Path, Argument(help="A weights file that was made elsewhere; it is rewritten in place.")],
    dataset: Annotated[str, Option(help="What the weights were trained on.")],
    images: Annotated[int, Option(help="How many images that is.")],
    licence: Annotated[str, Option(help="Licence of the weights.")],
    source: Annotated[str, Option(help="Where the file comes from: a package, a paper, an address.")],
) -> None:
    """Write into a weights file what it was trained on, so that records and reports can say so.

    The file's sha256 changes with it: declare before the first run, since runs are known by that hash.
    """
    from study.core.files import file_sha256, write_atomically
    from study.models.pretraining_info import declared_pretraining, read_pretraining, with_pretraining
    from study.models.weights_form import check_form

    pretraining = declared_pretraining(dataset, images, licence, source)
    if not file.is_file():
        raise WeightsError(f"a weights file is declared, got {str(file)!r}, which is no file.")
    check_form(file)
    found = read_pretraining(file)
    if found and not found.declared:
        raise UsageError(f"{file.name} already says where it comes from: {found.words()}.")
    if any(one.file == file.name for entry in transfer_entries(None) for one in entry.published.values()):
        raise UsageError(
            f"{file.name} is the name of a published file, which is checked against its published hash: rename it."
        )
    write_atomically(file, with_pretraining(file.read_bytes(), pretraining))
    print(f"{file.name}: {pretraining.words()}, sha256 {file_sha256(file)}")


def verified_file(path: Path) -> str:
    """Return a line on a file of weights: its hash, its pretraining and the entries that it fits.

    Raises:
        WeightsError: it is missing, damaged, no file of weights, not what its published name says, or fits no entry.
    """
    from study.models.entry import MODELS
    from study.models.pretraining_info import read_pretraining
    from study.models.weights import check_digest, hash_file
    from study.models.weights_form import check_form, contents
    from study.training.banners import without_banners

    if not path.is_file():
        raise WeightsError(f"a transfer entry or an existing file is verified, got {str(path)!r}.")
    check_form(path)
    about = f"{path.name}: {contents(path)}, sha256 {hash_file(path, 'sha256')}"
    for entry in MODELS:
        for published in entry.published.values():
            if published.file == path.name:
                check_digest(path, published)
                return f"{about}, as published for {entry.name}"
    pretraining = read_pretraining(path)
    words = pretraining.words() if pretraining else "origin not declared (study weights declare)"
    with without_banners():
        from study.training.backend import chosen_backend, prepare_backend
        from study.training.weights_file import fitting_entries

        prepare_backend(chosen_backend())

        fits = fitting_entries(path, sorted(MODELS, key=lambda entry: entry.family == "custom"))
    if not fits:
        raise WeightsError(
            f"{about}, {words}: it fits no entry. Give the weights of one of them without its top (`study list`), "
            "or add the network as a plugin."
        )
    return f"{about}, {words}; fits {', '.join(fits)}"


def transfer_entries(plugins: list[str] | None) -> list[ModelEntry]:
    """Return every transfer entry, those of plugins too."""
    from study.core.registry import load_plugins
    from study.models.entry import MODELS

    load_plugins(plugins)
    return [entry for entry in MODELS if entry.family == "transfer"]
