"""Components are found by themselves, names are unique, plugins join."""

import sys

import pytest

from study.core.errors import UsageError
from study.core.registry import Registry, load_plugin


def test_unknown_names_suggest_close_ones():
    registry = Registry("model")
    registry.add("resnet50", 1, "a.py")
    with pytest.raises(UsageError, match="unknown model 'resnet5'. Did you mean resnet50"):
        registry.get("resnet5")


def test_a_name_taken_twice_names_both_files():
    registry = Registry("model")
    registry.add("mine", 1, "a.py")
    with pytest.raises(UsageError, match=r"'mine' is defined in a.py and in b.py"):
        registry.add("mine", 2, "b.py")


def test_a_package_is_discovered_on_the_first_look_up(tmp_path, monkeypatch):
    package = tmp_path / "found_here"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("import found_here\nfound_here.registry.add('one', 1, __file__)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry("thing", package="found_here")
    import found_here

    found_here.registry = registry
    assert registry.names() == ["one"] and registry.file("one").endswith("one.py")


def test_a_plugin_is_imported_once(tmp_path):
    plugin = tmp_path / "my_model.py"
    plugin.write_text("import sys\nsys.modules['counted'] = sys.modules.get('counted', 0) + 1\n")
    try:
        assert load_plugin(plugin) is load_plugin(plugin)
        assert sys.modules["counted"] == 1
    finally:
        sys.modules.pop("counted", None)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "existing file"), ("1 / 0", "ZeroDivisionError"), ("def broken(:", "SyntaxError")],
)
def test_a_bad_plugin_is_one_line(tmp_path, content, message):
    plugin = tmp_path / "bad_plugin.py"
    if content is not None:
        plugin.write_text(content)
    with pytest.raises(UsageError, match=message):
        load_plugin(plugin)
    assert "study_plugin_bad_plugin" not in sys.modules


def test_a_plugin_that_is_no_python_file_is_refused(tmp_path):
    (tmp_path / "model.txt").write_text("")
    with pytest.raises(UsageError, match=r"\.py"):
        load_plugin(tmp_path / "model.txt")
