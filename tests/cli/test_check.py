"""study check: the example plugin passes, a broken entry fails with the promise that it breaks."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from study.cli.check import app
from study.core.errors import UsageError

BROKEN = '''
from study.models.entry import model


@model("broken")
def build(images, classes):
    """Logits where probabilities are promised."""
    from keras import layers

    return layers.Dense(classes)(layers.Flatten()(images))
'''


def test_the_example_plugin_passes():
    result = CliRunner().invoke(app, ["tiny", "--plugin", "experiments/plugin_example.py"])
    assert result.exit_code == 0, result.output
    assert result.output.count("ok   tiny:") == 10 and result.output.endswith("All 10 checks passed.\n")


def test_a_broken_entry_fails_with_its_promise(tmp_path):
    plugin = tmp_path / "broken.py"
    plugin.write_text(BROKEN)
    result = CliRunner().invoke(app, ["broken", "--plugin", str(plugin)])
    assert isinstance(result.exception, UsageError) and "checks failed" in str(result.exception)
    assert "FAIL broken: uint8 images in, one probability a class out" in result.output
    assert "must sum to one" in result.output


def test_an_unknown_entry_is_one_line():
    result = CliRunner().invoke(app, ["cnn9"])
    assert isinstance(result.exception, UsageError) and "Did you mean" in str(result.exception)


@pytest.mark.parametrize("words", [["--help"]])
def test_help_shows_an_example(words):
    assert "study check tiny" in CliRunner().invoke(app, words).output


@pytest.mark.slow
def test_a_check_prints_no_banners_of_tensorflow():
    call = [sys.executable, "-m", "study", "check", "cnn2"]
    done = subprocess.run(call, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stderr == "" and done.stdout.endswith("All 10 checks passed.\n")
