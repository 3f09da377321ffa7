"""Starting Streamlit's server on this machine alone."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import socket
from pathlib import Path

from study.core.errors import StudyError, UsageError
from study.core.store import studies
from study.web.overview import current_overview
from study.web.settings import SERVER, Settings

SCRIPT = Path(__file__).parent / "views" / "main.py"


def serve(settings: Settings, port: int) -> None:
    """Show the page until Ctrl-C; its address is printed when the first look will be a quick one.

    Args:
        settings: What it shows.
        port: Of 127.0.0.1.

    Raises:
        UsageError: Streamlit is not installed, or the port is taken.
    """
    if importlib.util.find_spec("streamlit") is None:
        raise UsageError(
            "study web needs Streamlit, which is not installed: "
            "python -m pip install --constraint constraints.txt --editable '.[web]'"
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((str(SERVER["server.address"]), port))
        except OSError as error:
            raise UsageError(
                f"port {port} of 127.0.0.1 cannot be used ({error.strerror}): give another --port."
            ) from None
    from streamlit.web import bootstrap

    warm(settings)
    options = {name.replace(".", "_"): value for name, value in SERVER.items()} | {"server_port": port}
    bootstrap.load_config_options(options)
    print(f"Open http://127.0.0.1:{port} in a browser; Ctrl-C ends the page.", flush=True)
    bootstrap.run(str(SCRIPT), False, settings.to_words(), options)


def warm(settings: Settings) -> None:
    """Read the first study and import what pages need before anybody looks."""
    with contextlib.suppress(StudyError, OSError):  # the page will say what is wrong
        current_overview(settings.results, settings.first_of(studies(settings.results)))
    for package in ("pandas", "pyarrow", "scipy.stats"):
        importlib.import_module(package)
