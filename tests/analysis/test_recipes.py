"""Names: what is marked, what is told apart, what comes first."""

from study.analysis.recipes import name_records
from study.core.spec import Spec
from tests.changed import replace
from tests.factories import make_record


def test_transfer_networks_from_random_weights_are_marked_beside_their_name():
    random, pretrained = make_record("vgg16", weights="none"), make_record("vgg16", weights="imagenet")
    naming = name_records([random, pretrained])
    assert naming.of(random).model == "vgg16 (random weights)"
    assert naming.of(pretrained).model == "vgg16"


def test_custom_networks_are_never_marked_as_random():
    record = make_record("cnn3")
    assert name_records([record]).of(record).model == "cnn3"


def test_seeds_share_a_recipe_and_budgets_do_not():
    runs = [make_record(seed=0), make_record(seed=1), make_record(seed=0, budget="demo", epochs=2)]
    first, second, third = (name_records(runs).of(run) for run in runs)
    assert first == second != third
    assert "full budget" in first.protocol
    assert "demo budget" in third.protocol


def test_recipes_that_differ_where_no_word_tells_get_a_hash():
    other = make_record().spec.to_json()
    other["protocol"]["phases"][0]["patience"] = 3
    runs = [make_record(), replace(make_record(), spec=Spec.from_json(other))]
    protocols = {name_records(runs).of(run).protocol for run in runs}
    assert len(protocols) == 2
    assert all("#" in name for name in protocols)


def test_the_shared_four_come_first_and_leaky_protocols_last():
    names = ["leaky/oversample-before-split", "as-published/emotionnet", "mixup", "augment", "baseline"]
    naming = name_records([make_record("cnn3", name) for name in names])
    assert naming.protocols == tuple(reversed(names))


def test_custom_networks_come_before_transfer_networks():
    assert name_records([make_record("vgg16"), make_record("xnet")]).models == ("xnet", "vgg16")
