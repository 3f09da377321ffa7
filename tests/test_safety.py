"""What the package never does, looked up in its code: unpickle, run text as code, load whole models, call a shell."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "study"
FILES = sorted(ROOT.rglob("*.py"))
#: Modules that run or unpickle what they read.
MODULES = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "marshal", "shelve", "yaml", "torch", "code", "codeop"}
CALLS = {"eval", "exec", "compile", "__import__"}
#: Loads whole models: only what `study export` has just written itself, to check it.
MODEL_LOADERS = {"load_model", "model_from_json", "model_from_config", "deserialize_keras_object"}
CHECKS_OWN_EXPORTS = "trained/formats.py"


def trees() -> Iterator[tuple[str, ast.AST]]:
    for path in FILES:
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Yield file, the called name as written (``np.load``), and the call."""
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield name, ast.unparse(node.func), node


def keyword(call: ast.Call, name: str) -> object:
    return next((ast.literal_eval(one.value) for one in call.keywords if one.arg == name), None)


def test_no_module_that_unpickles_or_runs_text_is_imported() -> None:
    for name, tree in trees():
        for node in ast.walk(tree):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not MODULES & {one.split(".")[0] for one in names}, name


def test_no_text_is_run_as_code() -> None:
    assert [(name, what) for name, what, _ in calls() if what in CALLS] == []


def test_arrays_are_loaded_and_saved_without_pickles() -> None:
    for name, what, call in calls():
        last = what.rpartition(".")[2]
        if what in ("np.load", "numpy.load") or last in ("read_array", "write_array") and "format" in what:
            assert keyword(call, "allow_pickle") is False, f"{name}: {what}"
        assert last not in ("fromfile", "genfromtxt", "loadtxt", "read_pickle", "to_pickle"), f"{name}: {what}"


def test_whole_models_are_loaded_only_to_check_ones_own_exports() -> None:
    found = {name for name, what, _ in calls() if what.rpartition(".")[2] in MODEL_LOADERS}
    assert found <= {CHECKS_OWN_EXPORTS}
    assert not any(
        keyword(call, "safe_mode") is False
        for _, _, call in calls()
        if any(k.arg == "safe_mode" for k in call.keywords)
    )
    text = "".join(path.read_text(encoding="utf-8") for path in FILES)
    assert "enable_unsafe_deserialization" not in text


def test_whole_models_are_no_runtime() -> None:
    from study.trained.runtime import PACKAGES

    assert set(PACKAGES) == {"onnx", "litert"}
    runtime = (ROOT / "trained" / "runtime.py").read_text(encoding="utf-8")
    assert 'return _runtime("keras", store, record, Predictor(restore_network(store, record).model))' in runtime


def test_no_shell_is_called() -> None:
    for name, what, call in calls():
        assert what not in ("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"), name
        assert not keyword(call, "shell"), f"{name}: {what}"


def test_archives_are_never_unpacked_by_name() -> None:
    assert [
        (name, what)
        for name, what, _ in calls()
        if what.rpartition(".")[2] in ("extractall", "extract", "unpack_archive")
    ] == []


#: Ray's executor knocks at a cluster's address and has Ray listen; the page's launcher asks
#: whether its port is free.
NETWORKED = {
    "execution/executors/ray/cluster.py": {"socket", "ray"},
    "execution/executors/ray/worker.py": {"ray"},
    "web/launch.py": {"socket"},
}


def test_nothing_but_the_page_listens_and_that_on_this_machine_alone() -> None:
    from study.web.settings import SERVER

    binding = [name for name, what, _ in calls() if what.rpartition(".")[2] in ("bind", "listen", "create_server")]
    assert binding == ["web/launch.py"] and SERVER["server.address"] == "127.0.0.1"
    for name, tree in trees():
        for node in ast.walk(tree):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            servers = {"socket", "socketserver", "http.server", "ray", "flask", "fastapi", "uvicorn", "gradio"}
            assert not servers & set(names) - NETWORKED.get(name, set()), name


def test_onnx_runtime_reports_to_nobody(tmp_path: Path) -> None:
    """Where it means to report, it makes an identifier of the machine in the cache folder when it is imported."""
    call = [sys.executable, "-c", "from study.faces.detection import open_detector; open_detector()"]
    quiet = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    places = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run(call, env=quiet | places, cwd=ROOT.parent, check=True)
    assert [path.name for path in tmp_path.rglob("*") if "microsoft" in path.name.lower()] == []


def test_images_are_opened_through_the_one_checked_place() -> None:
    opened = {
        name
        for name, what, _ in calls()
        if what in ("Image.open", "Images.open", "cv2.imread", "cv2.imdecode", "plt.imread")
    }
    assert opened <= {
        "datasets/readers/image_file.py",
        "report/picture.py",  # reads the text of its own figures
        "trained/corruptions.py",  # reads the JPEG that it has just written
    }


def test_plugins_are_said_to_be_code() -> None:
    for place in ("cli/options.py", "cli/check.py"):
        assert "code" in (ROOT / place).read_text(encoding="utf-8").lower(), place
    for place in ("README.md", "SECURITY.md"):
        assert "Plugins are code" in (ROOT.parent / place).read_text(encoding="utf-8"), place


@pytest.mark.parametrize("message", ["a\x1b[31mb", "a\x9bb", "a\u202eb", "x" * 9000, "two\nlines\r\n"])
def test_a_message_is_one_printable_line(message: str) -> None:
    from study.cli.app import MOST_SHOWN, one_line

    assert one_line(message).isprintable() and len(one_line(message)) <= 10 * MOST_SHOWN
