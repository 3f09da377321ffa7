"""A spec is frozen data with a stable key."""

import dataclasses
import json

import pytest

from study.core.spec import Spec, canonical_json, content_hash, derive_seed


@pytest.fixture
def spec():
    return Spec(
        dataset={"name": "d", "fingerprint": "0" * 64},
        model={"name": "cnn2", "version": "1", "family": "custom"},
        protocol={"name": "as-published/x", "phases": [{"rate": 0.001}]},
        budget="demo",
        side_px=48,
        weights={"source": "none", "sha256": ""},
        precision="float32",
        backend="tensorflow",
        seed=3,
    )


def test_a_spec_survives_json(spec):
    again = Spec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again.to_json() == spec.to_json() and again.key == spec.key


def test_the_key_reads_and_is_a_plain_file_name(spec):
    assert spec.key == f"cnn2-as-published-x-seed_3-{spec.hash}"
    assert "/" not in spec.key


def test_the_hash_does_not_move_between_versions_of_this_package(spec):
    """A changed value here orphans every stored record: change it only together with the record's format."""
    assert spec.hash == "66b91abb1c"


@pytest.mark.parametrize("change", [{"seed": 4}, {"side_px": 96}, {"budget": "full"}, {"precision": "mixed_bfloat16"}])
def test_whatever_changes_the_result_changes_the_key(spec, change):
    assert dataclasses.replace(spec, **change).key != spec.key


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
    one = Spec(
        dataset={"name": "fer\u00e9", "fingerprint": "0"},
        model={"version": 1, "name": "cnn2", "family": "custom"},
        protocol={"name": "baseline", "phases": [{"rate": 1e-3, "rates": [0.5, 1e-7], "plateau": None}], "mix": True},
        budget="demo", side_px=48, weights={"source": "none", "sha256": ""}, precision="float32", backend="jax", seed=3,
    )  # fmt: skip
    assert one.hash == content_hash(one.to_json())[:10]
    for spec in one.with_seeds([0, 7, 2**62]):
        alone = Spec.from_json(spec.to_json())
        assert (spec, spec.hash) == (alone, content_hash(alone.to_json())[:10])
