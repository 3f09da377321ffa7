"""The commands that a report gives make the runs that it shows: no other seeds, epochs or blocks."""

import shlex

from study.core.store import UPDATES_FILE, Store
from study.planning.grid import parse_seeds
from study.report.collect import collect
from study.report.sections.reproduce import blocks, commands, write
from tests.factories import make_card, make_record, make_store

RUNS = [("cnn3", "baseline", seed) for seed in range(5)] + [("cnn3", "augment", seed) for seed in range(5)]
RUNS += [("cnn3", "oversample", seed) for seed in range(3)] + [("cnn2", "baseline", 0), ("cnn5", "baseline", 0)]


def flags(line: str) -> dict[str, str]:
    words = shlex.split(line)[2:]
    return dict(zip(words[::2], words[1::2], strict=True))


def named(line: str) -> set[tuple[str, str, int]]:
    given = flags(line)
    return {
        (model, protocol, seed)
        for model in given["--models"].split(",")
        for protocol in given["--protocols"].split(",")
        for seed in parse_seeds(given["--seeds"])
    }


def test_uneven_seeds_are_named_block_by_block(tmp_path):
    store, card = Store(tmp_path, "uneven"), make_card()
    for run in RUNS:
        store.keep(make_record(*run, card=card))
    *runs, report, check = commands(collect(store))
    assert len(runs) == 3
    assert set.union(*map(named, runs)) == set(RUNS)
    assert sum(len(named(line)) for line in runs) == len(RUNS)
    assert report == "study report uneven --margin 2" and check == "study report uneven --check"


def test_settings_that_all_runs_share_are_named(tmp_path):
    store = make_store(tmp_path, models=["cnn3"], protocols=["baseline"], flaws=False, epochs=4)
    (line, *_) = commands(collect(store))
    given = flags(line)
    assert given["--epochs"] == "4" and given["--side"] == "48" and given["--budget"] == "full"
    assert "--weights" not in given
    assert given["--seeds"] == "0,"


def test_phases_of_different_length_are_left_to_the_budget(tmp_path):
    store = make_store(tmp_path, models=["vgg16"], protocols=["baseline"], flaws=False)
    given = flags(commands(collect(store))[0])
    assert "--epochs" not in given and given["--weights"] == "imagenet"


def test_random_and_pretrained_bodies_are_separate_blocks():
    card = make_card()
    records = [make_record("vgg16", card=card), make_record("resnet50", card=card, weights="none")]
    assert len(blocks(records)) == 2


def test_the_file_of_measured_updates_is_named_where_there_is_one(tmp_path):
    store = make_store(tmp_path, models=["cnn3"], flaws=False)
    assert "The budget measures" not in write(collect(store)).text
    (store.folder / UPDATES_FILE).write_text("{}")
    assert f"first copy `{UPDATES_FILE}`" in write(collect(store)).text
