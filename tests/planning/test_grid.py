"""Grids: files and flags become specs, and every slip in a file is named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from study.cli.driver import make_choices
from study.cli.run_options import Flags
from study.core.errors import UsageError
from study.core.registry import load_plugin
from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.models import weights
from study.models.entry import MODELS
from study.planning.grid import Choices, grid_names, parse_seeds, read_grid, resolve_specs, select_pairs, vary
from study.protocols import PROTOCOLS
from study.protocols.budgets import Budget, budget_names, read_budget, read_speeds
from study.protocols.piece import part

SHARED = ["baseline", "oversample", "augment", "oversample+augment"]
EXAMPLE = Path(__file__).parents[2] / "experiments" / "plugin_example.py"


@pytest.fixture(scope="module")
def faces() -> ImageSet:
    return load("synthetic:images=200")


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let plans start from ImageNet's weights: nothing is downloaded before a run starts."""
    monkeypatch.setattr(weights, "can_download", lambda: True)


def write(folder: Path, text: str) -> str:
    path = folder / "grid.toml"
    path.write_text(text)
    return str(path)


def recipes(name: str, **flags: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(entry.name, protocol.name) for entry, protocol in select_pairs(read_grid(name), **flags)]


def test_all_crosses_core_entries_with_the_shared_four_custom_networks_first() -> None:
    names = ["cnn2", "cnn3", "cnn5", "resnet50", "vgg16"]
    assert recipes("all") == [(model, protocol) for model in names for protocol in SHARED]


def test_published_pairs_every_network_with_its_own_protocol() -> None:
    pairs = recipes("published")
    assert len(pairs) == 5 and all(protocol.startswith("as-published/") for _, protocol in pairs)
    assert recipes("published", models=("cnn2",)) == [("cnn2", "as-published/emotionnet")]


def test_tune_makes_a_recipe_of_every_combination() -> None:
    pairs = recipes("tune")
    assert len(pairs) == len(set(pairs)) == 12
    assert ("cnn3", "baseline@rate=0.0003,batch=128") in pairs
    assert {model for model, _ in recipes("tune", models=("cnn5",))} == {"cnn5"}


@pytest.mark.parametrize("name", grid_names())
def test_every_grid_opens_with_its_command_cost_and_expected_result(name: str) -> None:
    text = (Path(__file__).parents[2] / "experiments" / f"{name}.toml").read_text()
    head = text.partition("\n\n")[0] + text[: text.index("=")]
    assert f"study run --grid {name}" in head and "Cost:" in head and "Expected" in head


@pytest.mark.parametrize("name", grid_names())
def test_every_grid_resolves_under_every_budget(name: str, faces: ImageSet, reachable: None) -> None:
    grid = read_grid(name)
    start = "imagenet" if name == "transfer" else "none"
    for budget in budget_names():
        planned = resolve_specs(select_pairs(grid), Choices(read_budget(budget), weights=start), faces)
        assert len({one.spec.key for one in planned}) == len(planned) > 0


def test_a_frozen_body_without_weights_is_refused_before_any_run(faces: ImageSet) -> None:
    with pytest.raises(UsageError, match="transfer/frozen.* nothing to keep"):
        resolve_specs(select_pairs(read_grid("transfer")), Choices(read_budget("full"), weights="none"), faces)


def test_sides_and_shares_are_axes_of_a_grid(tmp_path: Path, faces: ImageSet) -> None:
    path = tmp_path / "mine.toml"
    text = 'models = ["cnn2"]\nprotocols = ["baseline"]\n[axes]\nside = [32, 48]\ntrain_share = [0.5, 1.0]\n'
    path.write_text(text, encoding="utf-8")
    grid = read_grid(str(path))
    choices = make_choices(Flags(grid=str(path), budget="full"), grid)
    specs = [one.spec for one in resolve_specs(select_pairs(grid), choices, faces)]
    assert {(spec.side_px, spec.protocol.train_share) for spec in specs} == {
        (side, share) for side in (32, 48) for share in (0.5, 1)
    }
    assert {spec.recipe for spec in specs} == {("cnn2", "baseline")}, "the report tells them apart by itself"
    given = make_choices(Flags(grid=str(path), budget="full", side=40, train_share=0.25), grid)
    assert (given.sides_px, given.train_shares) == ((40,), (0.25,))
    path.write_text(text.replace("0.5", "1.5"), encoding="utf-8")
    with pytest.raises(UsageError, match="train_share must lie above 0"):
        read_grid(str(path))


def test_epochs_of_all_phases_together_keep_the_protocol_s_proportions(faces: ImageSet, reachable: None) -> None:
    def epochs(count: int) -> dict[str, list[int]]:
        pairs = select_pairs(read_grid("transfer"))
        choices = Choices(read_budget("full"), weights="imagenet", epochs=count)
        specs = [one.spec for one in resolve_specs(pairs, choices, faces)]
        return {
            spec.protocol.name: [phase.updates // phase.updates_per_epoch for phase in spec.protocol.phases]
            for spec in specs
        }

    assert epochs(8)["transfer/staged"] == [2, 2, 4] and epochs(8)["transfer/frozen"] == [8]
    assert {sum(lengths) for lengths in epochs(9).values()} == {9}
    with pytest.raises(UsageError, match="at least 3 epochs"):
        epochs(2)


def test_a_plugin_joins_grids_that_say_all(monkeypatch: pytest.MonkeyPatch) -> None:
    MODELS.names()
    monkeypatch.setattr(MODELS, "_entries", dict(MODELS._entries))
    monkeypatch.setattr(MODELS, "_files", dict(MODELS._files))
    monkeypatch.delitem(sys.modules, "study_plugin_plugin_example", raising=False)
    load_plugin(EXAMPLE)
    assert {protocol for model, protocol in recipes("all") if model == "tiny"} == set(SHARED)
    assert "tiny" not in {model for model, _ in recipes("published")}
    monkeypatch.delitem(sys.modules, "study_plugin_plugin_example")


def test_flags_replace_names_and_take_groups() -> None:
    assert recipes("all", models=("cnn3", "cnn2"), protocols=("baseline",)) == [
        ("cnn3", "baseline"),
        ("cnn2", "baseline"),
    ]
    assert len(recipes("all", models=("core",), protocols=("shared",))) == 20


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('models = "all"\nprotocol = "baseline"', ["unknown setting 'protocol'", "protocols"]),
        ("models = 3\nprotocols = 'shared'", ["models must be a text or a list", "3"]),
        ("models = [3]\nprotocols = 'shared'", ["models", "[3]"]),
        ("models = 'all'", ["models and protocols"]),
        ("seeds = 2", ["models and protocols"]),
        ("[[runs]]\nmodel = 'cnn2'", ["needs a model and a protocol"]),
        ("models = 'all'\nprotocols = 'shared'\n[axes]\nrates = [1]", ["unknown setting 'rates'", "rate"]),
        ("models = 'all'\nprotocols = 'shared'\n[axes]\nbatch = [0.5]", ["batch", "whole numbers"]),
        ("models = 'all'\nprotocols = 'shared'\nseeds = 0", ["seeds"]),
        ("models = 'all'\nprotocols = 'shared'\nseeds = true", ["seeds must be a whole number", "True"]),
        ("models = ", ["is not TOML"]),
    ],
)
def test_a_slip_in_a_grid_is_named(text: str, words: list[str], tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        read_grid(write(tmp_path, text))
    assert [word for word in words if word not in str(error.value)] == []
    assert "grid.toml" in str(error.value) or "seeds" in str(error.value)


@pytest.mark.parametrize(("name", "hint"), [("al", "all"), ("nowhere/x.toml", "cannot be read")])
def test_an_unknown_grid_says_what_is_possible(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        read_grid(name)


@pytest.mark.parametrize(
    ("flags", "hint"),
    [({"models": ("cnn33",)}, "cnn3"), ({"protocols": ("base",)}, "baseline"), ({"models": ("cor",)}, "core")],
)
def test_an_unknown_name_suggests_close_ones(flags: dict[str, tuple[str, ...]], hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        recipes("all", **flags)


def test_nothing_left_to_run_is_an_error() -> None:
    with pytest.raises(UsageError, match="nothing to run"):
        recipes("published", models=("cnn5",))


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", (0, 1, 2)), (1, (0,)), ("0,1,4", (0, 1, 4)), ("4,", (4,)), ("2,2,1", (2, 1))]
)
def test_seeds_are_a_count_or_a_list(text: str | int, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "0", "-1", "a", "1,b", ",", "1,-2", "1.5"])
def test_other_seeds_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="seeds are"):
        parse_seeds(text)


def test_a_seed_is_complete_before_the_next_begins(faces: ImageSet) -> None:
    pairs = select_pairs(read_grid("all"), ("cnn2", "cnn3"), ("baseline",))
    planned = resolve_specs(pairs, Choices(read_budget("demo"), seeds=(0, 1)), faces)
    assert [(one.spec.seed, one.spec.model.name) for one in planned] == [
        (0, "cnn2"),
        (0, "cnn3"),
        (1, "cnn2"),
        (1, "cnn3"),
    ]


def test_the_same_choices_give_the_same_keys(faces: ImageSet) -> None:
    pairs = select_pairs(read_grid("all"), ("cnn2",))
    keys = [[one.spec.key for one in resolve_specs(pairs, Choices(read_budget("demo")), faces)] for _ in range(2)]
    assert keys[0] == keys[1]


def test_the_budget_caps_updates_and_gives_the_side(faces: ImageSet) -> None:
    pairs = select_pairs(read_grid("all"), ("cnn2", "vgg16"), ("baseline",))
    budget = Budget("mine", updates={"custom": 5, "stage": 2}, side_px={"transfer": 40})
    custom, transfer = (one.spec for one in resolve_specs(pairs, Choices(budget, weights="none"), faces))
    assert ([phase.updates for phase in custom.protocol.phases], custom.side_px) == ([5], 48)
    assert ([phase.updates for phase in transfer.protocol.phases], transfer.side_px) == ([2, 2], 40)


def test_a_side_below_the_minimum_is_refused(faces: ImageSet) -> None:
    pairs = select_pairs(read_grid("all"), ("vgg16",), ("baseline",))
    with pytest.raises(UsageError, match="vgg16 takes sides from 32 to 4096 px, got 16"):
        resolve_specs(pairs, Choices(read_budget("demo"), weights="none", sides_px=(16,)), faces)


def test_varying_the_rate_keeps_the_proportion_of_later_phases() -> None:
    baseline = PROTOCOLS.get("baseline")
    varied = vary(baseline, rate=3e-3)
    assert [phase.rate for phase in varied.custom] == [3e-3]
    assert [phase.rate for phase in varied.transfer] == [3e-3, 3e-4, 3e-5]
    assert vary(baseline, batch=32).batch == 32 and vary(baseline, batch=32).name == "baseline@batch=32"
    assert vary(baseline) is baseline


def test_varied_steps_are_scaled_together() -> None:
    webcam = vary(PROTOCOLS.get("as-published/webcam"), rate=3e-4)
    assert (webcam.custom[0].rate, webcam.custom[0].schedule) == (3e-4, part("steps", factors=(1.0, 0.5, 0.25)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[x]\nupdate = {custom = 3}", "unknown setting 'update'"),
        ("[x]\nupdates = {costum = 3}", "unknown setting 'costum'"),
        ("[x]\nupdates = {custom = 0}", "above 0"),
        ("[x]\nseeds = 1.5", "seeds must be a whole number"),
        ("[y]", "unknown budget 'x'"),
    ],
)
def test_a_slip_in_the_budgets_is_named(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "budgets.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        read_budget("x", path)


def test_there_is_a_recorded_speed_for_every_family() -> None:
    assert {"custom", "transfer"} <= set(read_speeds())
    assert {"custom", "transfer"} <= set(read_speeds(on_gpu=True))
    assert not {"speeds", "gpu_speeds"} & set(budget_names())
