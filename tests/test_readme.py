"""README and docs tell the truth: commands exist, flags are known, links lead somewhere, numbers are the reports'."""

from __future__ import annotations

import csv
import importlib
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from docs.make_flags import flags_page
from study.cli import VERBS
from study.datasets.load import load
from study.models.entry import MODELS
from study.planning.grid import grid_names
from study.protocols import PROTOCOLS
from study.protocols.budgets import budget_names

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: The pages with commands: README and docs; decisions are history.
PAGES = ("README.md", *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").glob("*.md"))))
OTHERS = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/decisions/README.md", "experiments/README.md")
FOLDERS = ("data/README.md", "results/README.md", "reports/README.md", "reports/published/bench/README.md")
#: Stands for the address that this repository will have.
CLONE = "git clone https://example.org/facial-emotion-study.git"
MOST_WORDS = 900
#: The studies behind README's answer: the shared protocols, and what has a recipe of its own.
ANSWERS = ("fer2013", "fer2013-best")
PEERS = ("fer", "facial-emotion-recognition")


def text_of(page: str) -> str:
    """Return the text of a page, named from the repository's root."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(language: str, text: str) -> list[str]:
    """Return the contents of the fenced code blocks of a language, in lists too."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return ["".join(line.removeprefix(indent) for line in body.splitlines(keepends=True)) for indent, body in found]


def command_lines(page: str) -> list[list[str]]:
    """Return a page's shell commands as words, without comments: all code blocks, and code between words."""
    text = text_of(page)
    code = [block.replace("\\\n", " ") for language in ("sh", "bash") for block in blocks(language, text)]
    lines = [line for block in code for line in block.splitlines()]
    lines += re.findall(r"`((?:study|make) [^`]+)`", re.sub(r"^ *```.*?^ *```$", "", text, flags=re.M | re.S))
    return [words for line in lines if (words := re.sub("['\"]", " ", f" {line} ".partition(" #")[0]).split())]


def study_calls(page: str) -> Iterator[list[str]]:
    """Yield the words after `study`, `python -m study` or `python -m study.run` (as the verb run)."""
    for words in command_lines(page):
        for place, word in enumerate(words):
            if place + 1 < len(words) and (word == "study" or word.endswith("/bin/study")):
                yield words[place + 1 :]
            elif words[place - 1 : place + 1] == ["-m", "study.run"]:
                yield ["run", *words[place + 1 :]]


def flags_of(verb: str) -> set[str]:
    """Return every flag that a verb or one of its own verbs takes."""
    command = typer.main.get_command(importlib.import_module(VERBS[verb][0]).app)
    commands = [command, *getattr(command, "commands", {}).values()]
    return {name for one in commands for option in one.params for name in option.opts if name.startswith("--")}


def rows_of(study: str, table: str) -> list[dict[str, str]]:
    """Return the rows of a table of a committed report."""
    with (ROOT / "reports" / "published" / study / "tables" / f"{table}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_readme_is_short() -> None:
    assert len(README.split()) <= MOST_WORDS


def test_the_readme_says_how_to_clone_install_run_and_test() -> None:
    lines = [" ".join(words) for words in command_lines("README.md")]
    assert CLONE in lines and "Clone this repository" in README
    assert {"make study", "make test"} <= set(lines)
    assert "libGL.so.1: cannot open shared object file" in README


def test_the_pip_lines_do_what_make_does() -> None:
    lines = " \n".join(" ".join(words) for words in command_lines("README.md"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    locked = [f"--require-hashes --requirement {name}" for name in ("requirements.txt", "requirements-dev.txt")]
    alone = "--no-deps --no-build-isolation --editable ."
    for part in (*locked, alone, "-m study.run --grid all --data synthetic --budget demo", "-m pytest"):
        assert part in lines and part in makefile


@pytest.mark.parametrize("page", [*PAGES, *OTHERS, *FOLDERS])
def test_every_make_target_exists(page: str) -> None:
    targets = {target for words in command_lines(page) if words[0] == "make" for target in words[1:]}
    if targets:
        subprocess.run(["make", "--dry-run", *targets], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("page", [*PAGES, *OTHERS, *FOLDERS])
def test_every_call_names_a_verb_and_flags_that_it_takes(page: str) -> None:
    for verb, *words in study_calls(page):
        if verb in ("COMMAND", "--install-completion"):
            continue
        assert verb in VERBS, f"{page} calls study {verb}"
        unknown = {word.partition("=")[0] for word in words if word.startswith("--")} - flags_of(verb) - {"--help"}
        assert not unknown, f"{page}: study {verb} does not take {unknown}"


def test_the_pages_call_every_verb() -> None:
    assert {verb for page in PAGES for verb, *_ in study_calls(page)} >= set(VERBS)


def test_the_page_of_flags_is_what_the_commands_say() -> None:
    assert text_of("docs/flags.md") == flags_page(), "run python -m docs.make_flags"


def test_the_index_names_every_page() -> None:
    linked = set(re.findall(r"\]\(([^)#]+)", text_of("docs/README.md")))
    assert {Path(page).name for page in PAGES[1:]} - {"README.md"} <= linked


def test_every_grid_and_budget_is_named() -> None:
    compare, budgets = text_of("docs/compare.md"), text_of("docs/budgets.md")
    assert [name for name in grid_names() if f"`{name}`" not in compare] == []
    assert [name for name in budget_names() if f"`{name}`" not in budgets] == []


def test_every_group_is_named() -> None:
    compare = text_of("docs/compare.md")
    groups = {group for entry in (*MODELS, *PROTOCOLS) for group in entry.groups}
    assert [group for group in sorted(groups) if f"`{group}`" not in compare] == []


def test_every_core_entry_and_protocol_is_in_its_table() -> None:
    page = text_of("docs/architectures-and-protocols.md")
    assert [entry.name for entry in MODELS if "core" in entry.groups and f"\n| {entry.name} |" not in page] == []
    named = [protocol.name for protocol in PROTOCOLS]
    folders = {f"{name.partition('/')[0]}/*" if "/" in name else name for name in named}
    assert [name for name in sorted(folders) if f"`{name}`" not in page] == []


def test_the_settings_of_the_built_in_faces_are_taken() -> None:
    (settings,) = re.findall(r"`(synthetic:[^`]+)`", text_of("docs/get-the-data.md"))
    assert len(load(settings.replace("images=4000", "images=200"))) == 200


@pytest.mark.parametrize(("page", "file"), [("add-a-model", "plugin_example"), ("transfer", "plugin_body")])
def test_the_examples_are_the_tested_files(page: str, file: str) -> None:
    assert text_of(f"experiments/{file}.py") in blocks("python", text_of(f"docs/{page}.md"))


def test_the_protocol_of_the_example_can_be_registered() -> None:
    (example,) = (block for block in blocks("python", text_of("docs/add-a-model.md")) if "register(" in block)
    try:
        exec(compile(example, "example", "exec"), {"__file__": "example"})
        assert "flip-only" in PROTOCOLS.names()
    finally:
        PROTOCOLS._entries.pop("flip-only", None)
        PROTOCOLS._files.pop("flip-only", None)


def accuracy_of(row: dict[str, str]) -> tuple[str, str, str]:
    """Return test accuracy and the ends of its interval, in percent."""
    low, high = (f"{100 * float(row[f'test_accuracy_{end}']):.1f}" for end in ("low", "high"))
    return f"{100 * float(row['test_accuracy']):.1f}", low, high


def test_the_answer_is_that_of_the_reports() -> None:
    answer = README[README.index("<!-- answer: begin") : README.index("<!-- answer: end")]
    shared, others = ({row["model"].split()[0]: {} for row in rows_of(study, "leaderboard")} for study in ANSWERS)
    for study, board in zip(ANSWERS, (shared, others), strict=True):
        for row in rows_of(study, "leaderboard"):
            board[row["model"].split()[0]][row["protocol"]] = accuracy_of(row)
    lines = [line.strip("| ").split(" | ") for line in answer.splitlines() if line.startswith("| ")]
    (_, _, *protocols), rows = lines[0], {name: cells for name, *cells in lines[1:]}
    assert set(rows) == {*shared, *others} and protocols == ["baseline", "oversample", "augment", "oversample+augment"]
    for name, (own, *cells) in rows.items():
        found = [*others.get(name, {}).values(), None][:1] + [shared.get(name, {}).get(one) for one in protocols]
        said = ["–" if one is None else "{} <sub>{}–{}</sub>".format(*one) for one in found]
        assert [own, *cells] == said, name
    text = " ".join(answer.split())
    best, peers = others["resnet_compact"]["strong"], [others[name]["imported"][0] for name in PEERS]
    assert f"**{best[0]} %** on FER-2013's test split (two seeds, 95 % interval {best[1]} to {best[2]};" in text
    assert "packages score {} % and {} %".format(*peers) in text
    board = rows_of("fer2013", "leaderboard")
    first, ranked = board[0], [row for row in board if row["rank"]]
    for protocol in protocols:
        rows = [row for row in ranked if row["protocol"] == protocol]
        leading = max(rows, key=lambda row: float(row["test_accuracy"]))
        assert leading["model"] == rows[0]["model"] == first["model"], protocol
    assert f"**{first['model']}** leads under each. Under {first['protocol']}, chosen on validation" in text
    scores = [float(run["test_accuracy"]) for run in rows_of("fer2013", "runs") if same_recipe(run, first)]
    pairs = {(row["first"], row["second"]): row for row in rows_of("fer2013", "pairs-recipes")}
    pair = pairs[f"{first['model']} / {first['protocol']}", "cnn3 / baseline"]
    said = [*accuracy_of(first), f"{100 * sum(scores) / len(scores):.1f}", f"{100 * float(pair['difference']):.1f}"]
    sentence = "scores {} % ({} to {}; mean of three seeds: {}, {} above cnn3's, p = {:.3f})."
    assert len(scores) == 3 and sentence.format(*said, float(pair["p_all_pairs"])) in text
    effects = {row["factor"]: row for row in rows_of("fer2013", "factor-effects") if row["model"] == "all"}
    costs, gains = (100 * float(effects["oversampling"][score]) for score in ("accuracy", "balanced_accuracy"))
    names = {key.split("-")[0] for key in effects["oversampling"]["runs"].split()}
    assert names == {"cnn2", "cnn3", "cnn5"} and "For cnn2, cnn3 and cnn5, oversampling" in text
    assert f"oversampling costs {-costs:.1f} points and gains {gains:.1f} of balanced accuracy" in text
    assert f"augmentation costs {-100 * float(effects['augmentation']['accuracy']):.1f} at" in text


def same_recipe(one: dict[str, str], other: dict[str, str]) -> bool:
    return all(one[key] == other[key] for key in ("model", "protocol"))


def test_the_worth_of_leaks_is_that_of_the_report() -> None:
    leaks = {row["protocol"].removeprefix("leaky/"): row for row in rows_of("fer2013-leakage", "leakage")}

    def worth(leak: str) -> tuple[float, float, float]:
        value, low, high = (100 * float(leaks[leak][f"worth_reweighted{end}"]) for end in ("", "_low", "_high"))
        return value, low, high

    text = " ".join(text_of("docs/leakage.md").split())
    before, notebook = worth("oversample-before-split"), worth("cnn5-notebook")
    assert "the leak is worth {:.1f} points ({:.1f} to {:.1f})".format(*before) in text
    claimed, clean = (f"{100 * float(leaks['cnn5-notebook'][score]):.1f} %" for score in ("claimed", "clean"))
    assert f"its pipeline says {claimed}, without its leak {clean}" in " ".join(README.split())
    assert f"claims {claimed} of itself" in text and f"with as many updates, scores {clean}." in text
    assert "its leak is worth {:.1f} points ({:.1f} to {:.1f})".format(*notebook) in text
    others = [worth(leak) for leak in ("checkpoint-on-test", "test-as-validation", "augment-before-split")]
    assert f"are worth at most {max(value for value, *_ in others):.1f} points; no interval excludes zero" in text
    assert all(low <= 0 <= high for _, low, high in others)


def test_the_scores_of_claims_are_those_of_the_report() -> None:
    claims = {row["nearest"].split()[0]: row for row in rows_of("fer2013-published", "claims") if row["validation"]}
    said = [
        [f"{100 * float(claims[name][column]):.1f}" for name in ("published-cnn3", "published-webcam")]
        for column in ("validation", "nearest_clean")
    ]
    assert "Networks claimed at {} and {} % score [{} and {} %](".format(*said[0], *said[1]) in " ".join(README.split())


def test_the_table_of_transfer_is_that_of_its_report() -> None:
    study = "fer2013-transfer"
    board = {row["protocol"].split()[0]: row for row in rows_of(study, "leaderboard")}
    effects = {row["factor"]: row for row in rows_of(study, "factor-effects") if row["model"] == "all"}
    row = r"^\| `(transfer/\S+)` \| (\d+) \| (\S+) \| (.+?) \| (.+?) \|$"
    found = re.findall(row, text_of("docs/transfer.md"), re.MULTILINE)
    assert len(found) == len(board) >= 5
    for protocol, seeds, validation, test, difference in found:
        scored, effect = board[protocol], effects.get(f"{protocol.removeprefix('transfer/')} vs random start")
        ends = ("", "_low", "_high")
        scores = [f"{100 * float(scored[f'test_accuracy{end}']):.1f}" for end in ends]
        assert (seeds, validation) == (scored["seeds"], f"{100 * float(scored['validation_accuracy']):.1f}")
        assert test == "{} ({} to {})".format(*scores)
        worth = [f"{100 * float(effect[f'accuracy{end}']):+.1f}".replace("-", "−") for end in ends] if effect else []
        assert difference == ("{} ({} to {})".format(*worth) if worth else "–")
    runs = {(row["protocol"].split()[0], row["seed"]): float(row["test_accuracy"]) for row in rows_of(study, "runs")}
    (start,) = (protocol for protocol in board if "random-start" in protocol)
    first, second = (100 * (runs["transfer/full", seed] - runs[start, seed]) for seed in "01")
    assert f"beats its random start by {first:.1f} and {second:.1f} points" in " ".join(README.split())
    assert f"worth {first:.1f} points with seed 0 and {second:.1f} with seed 1" in text_of("docs/transfer.md")


def test_the_accuracy_of_bfloat16_is_that_of_the_report() -> None:
    (row,) = rows_of("fer2013-precision", "contrasts-recipes")
    numbers = [f"{100 * float(row[f'difference{end}']):+.1f}" for end in ("", "_low", "_high")]
    value, low, high = (number.replace("-", "−") for number in numbers)
    for page in ("docs/speed.md", "reports/published/bench/profile.md"):
        assert f"{value} points ({low} to {high})" in " ".join(text_of(page).split()), page


@pytest.mark.parametrize("document", [*PAGES, *OTHERS, *FOLDERS])
def test_relative_links_lead_somewhere(document: str) -> None:
    for target, _, part in (link.partition("#") for link in re.findall(r"\]\((?!https?:)([^)]+)", text_of(document))):
        path = (ROOT / document).parent / target if target else ROOT / document
        assert path.exists(), target
        if part:
            titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert part in anchors, f"{target}#{part}"


def test_files_that_are_named_exist() -> None:
    decisions = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs" / "decisions").glob("*.md")]
    for page in (*PAGES, *OTHERS, *FOLDERS[:3], *decisions):
        if page == "CHANGELOG.md":
            continue  # history
        named = re.findall(r"(?<![\w/.])((?:study|tests|experiments|docs)/[\w/.*-]*[\w*/])", text_of(page))
        assert [name for name in named if not any(ROOT.glob(name.rstrip("/")))] == [], page


def test_the_index_of_decisions_is_complete() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"^- ([\d-]+): \[(.+)\]\((.+)\)$", text_of("docs/decisions/README.md"), re.MULTILINE)
    assert {name for *_, name in listed} == {path.name for path in folder.glob("*.md")} - {"README.md"}
    for date, title, name in listed:
        assert name.startswith(f"{date}-")
        assert (folder / name).read_text(encoding="utf-8").startswith(f"# {title}\n\n")


def test_the_table_of_rooms_is_that_of_the_contract() -> None:
    contracts = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = [[room.strip() for room in re.split("[|:]", layer)] for layer in contracts[0]["layers"]]
    table = text_of("CONTRIBUTING.md").partition("## Rooms")[2].partition("## Words")[0]
    rows = [re.findall(r"`(\w+)(?:\.py|/)`", line.split("|")[1]) for line in table.splitlines() if "| `" in line[:3]]
    named = [room for row in rows for room in row]
    place = {room: number for number, layer in enumerate(layers) for room in layer}
    assert sorted(named) == sorted(place)
    assert [place[room] for room in named] == sorted(place[room] for room in named)


def test_the_changelog_opens_with_what_is_unreleased() -> None:
    assert re.search(r"^## \[(.+?)\]", text_of("CHANGELOG.md"), re.MULTILINE).group(1) == "Unreleased"


def test_the_badges_are_true() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "badge/python-3.11%20to%203.13" in README and project["requires-python"] == ">=3.11,<3.14"
    assert "badge/licence-MIT" in README and project["license"] == "MIT"
    keras, tensorflow = re.search(r"badge/keras-([\d.]+)%20on%20TensorFlow%20([\d.]+)-", README).groups()
    assert f"\nkeras=={keras}." in pins and f"\ntensorflow=={tensorflow}." in pins


def test_the_citation_names_this_version() -> None:
    from study import __version__

    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation and "\nlicense: MIT\n" in citation


def test_the_workflow_runs_what_people_run() -> None:
    lines = text_of(".github/workflows/checks.yml").splitlines()
    assert "      - run: bash .ci/run" in lines and "bash .ci/run" in text_of("CONTRIBUTING.md")
    (versions,) = (re.findall(r'"([\d.]+)"', line) for line in lines if line.strip().startswith("python: ["))
    assert f"badge/python-{versions[0]}%20to%20{versions[-1]}-" in README
