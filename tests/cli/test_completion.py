"""Shell completion knows every verb and its flags, though verbs are imported only when they are called."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from study.cli import VERBS

ROOT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).parent / "study"


def study(*words: str, **variables: str) -> list[str]:
    """Run ``python -m study`` with variables set and return the lines it prints."""
    call = [sys.executable, "-m", "study", *words]
    done = subprocess.run(
        call, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.splitlines()


def completed(line: str) -> list[str]:
    """Return what bash is told to offer for the last word of a line."""
    return study(_STUDY_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(line.split(" ")) - 1))


def test_verbs_are_completed() -> None:
    assert completed("study ") == list(VERBS)
    assert completed("study predi") == ["predict"]


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        ("study predict --", {"--image", "--json", "--csv", "--save", "--detector", "--run", "--study"}),
        ("study live --", {"--camera", "--video", "--save", "--jsonl", "--no-window", "--every"}),
        ("study run --gr", {"--grid"}),
        ("study data show --o", {"--out"}),
    ],
)
def test_the_flags_of_a_verb_are_completed(line: str, flags: set[str]) -> None:
    assert flags <= set(completed(line))


def test_verbs_of_a_verb_are_completed() -> None:
    assert {"prepare", "show"} <= set(completed("study data "))


def test_completing_imports_only_the_verb_that_is_meant() -> None:
    code = (
        "import atexit, sys, study.__main__ as main\n"
        "atexit.register(lambda: print(sorted(n for n in sys.modules if 'study.cli.' in n), file=sys.stderr))\n"
        "main.main()"
    )
    variables = {"_STUDY_COMPLETE": "complete_bash", "COMP_WORDS": "study predict --im", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["--image"]
    assert done.stderr.strip() == "['study.cli.app', 'study.cli.options', 'study.cli.predict']"


@pytest.mark.skipif(not shutil.which("bash") or not SCRIPT.exists(), reason="needs bash and an installed `study`")
def test_bash_completes_after_installing(tmp_path: Path) -> None:
    """What `--install-completion` leaves is sourced, then the function is called as bash would."""
    home = {**os.environ, "HOME": str(tmp_path), "PATH": f"{SCRIPT.parent}:{os.environ['PATH']}"}
    install = [str(SCRIPT), "--install-completion"]
    off = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    subprocess.run([*install, "bash"], env={**home, **off}, capture_output=True, text=True, timeout=60, check=True)
    (file,) = tmp_path.rglob("study.sh")
    ask = f'source "{file}"; COMP_WORDS=(study li); COMP_CWORD=1; _study_completion study; echo "${{COMPREPLY[*]}}"'
    done = subprocess.run(["bash", "-c", ask], env=home, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["list", "live"]


def test_the_completion_of_every_shell_is_shown() -> None:
    for shell in ("bash", "zsh", "fish"):
        shown = "\n".join(study("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1"))
        assert "_STUDY_COMPLETE" in shown and shell in shown
