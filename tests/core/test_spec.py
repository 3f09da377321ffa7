"""A spec is frozen data with a stable key."""

import json

import msgspec
import pytest

from study.core.spec import (
    DatasetName,
    ModelName,
    Part,
    Phase,
    RunProtocol,
    Spec,
    Start,
    canonical_json,
    content_hash,
    derive_seed,
)
from tests.changed import replace


def make(**changes):
    phase = Phase(
        name="all",
        kind="custom",
        trainable="all",
        optimizer=Part(name="adam"),
        rate=0.001,
        updates=8,
        updates_per_epoch=4,
    )
    fields = {
        "dataset": DatasetName(name="d", fingerprint="0" * 64),
        "model": ModelName(name="cnn2", version="1", family="custom"),
        "protocol": RunProtocol(name="as-published/x", phases=(phase,), batch=64),
        "budget": "demo",
        "side_px": 48,
        "weights": Start(source="none"),
        "precision": "float32",
        "backend": "tensorflow",
        "seed": 3,
    }
    return Spec(**{**fields, **changes})


@pytest.fixture
def spec():
    return make()


def test_a_spec_survives_json(spec):
    again = Spec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again.to_json() == spec.to_json() and again.key == spec.key


def test_the_key_reads_and_is_a_plain_file_name(spec):
    assert spec.key == f"cnn2-as-published-x-seed_3-{spec.hash}"
    assert "/" not in spec.key


def test_the_hash_does_not_move_between_versions_of_this_package(spec):
    """A changed value here orphans every stored record: change it only together with the record's format."""
    assert spec.hash == "1c097d8213"


def test_a_field_at_its_default_is_no_part_of_the_hash(spec):
    """So that a field can be added; equal values count, not the same object."""
    (phase,) = spec.protocol.phases
    again = replace(phase, schedule=Part(name="constant"), plateau=None, block_decay=1.0)
    assert (
        replace(spec, protocol=replace(spec.protocol, phases=(again,), loss=Part(name="cross-entropy"))).hash
        == spec.hash
    )
    assert "schedule" not in spec.to_json()["protocol"]["phases"][0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": "3"}, "Expected `int`"),
        ({"colour": 1}, "unknown field `colour`"),
        ({"side_px": None}, "Expected `int`"),
    ],
)
def test_what_is_no_spec_is_refused_with_the_place(spec, change, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        Spec.from_json({**spec.to_json(), **change})


@pytest.mark.parametrize("change", [{"seed": 4}, {"side_px": 96}, {"budget": "full"}, {"precision": "mixed_bfloat16"}])
def test_whatever_changes_the_result_changes_the_key(spec, change):
    assert replace(spec, **change).key != spec.key


def test_order_of_keys_does_not_matter():
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})


def test_numbers_that_json_lacks_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"x": float("nan")})


def test_derived_seeds_are_stable_and_apart():
    assert derive_seed(0, "order", 1) == derive_seed(0, "order", 1)
    seeds = {derive_seed(run, name, epoch) for run in range(5) for name in ("order", "dropout") for epoch in range(20)}
    assert len(seeds) == 200 and all(0 <= seed < 2**31 for seed in seeds)


def test_the_hash_is_that_of_the_json_and_specs_of_many_seeds_are_those_made_one_by_one() -> None:
    one = make(
        dataset=DatasetName(name="fer\u00e9", fingerprint="0"), backend="jax", weights=Start(source="z", sha256="a")
    )
    assert one.hash == content_hash(one.to_json())[:10]
    for spec in one.with_seeds([0, 7, 2**62]):
        alone = Spec.from_json(spec.to_json())
        assert (spec, spec.hash) == (alone, content_hash(alone.to_json())[:10])
