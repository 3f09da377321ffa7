"""Starting Streamlit's server for this machine's own browser alone."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from study.core.errors import StudyError, UsageError
from study.core.store import studies
from study.web.overview import current_study
from study.web.settings import HOSTS, SERVER, Settings

SCRIPT = Path(__file__).parent / "views" / "main.py"
Message = MutableMapping[str, Any]


class OwnPageOnly:
    """Refuse requests for another host (DNS rebinding) and those of other sites' pages, before Streamlit sees them.

    Streamlit checks hosts for its WebSocket alone, and looks up the machine's public address on the internet when it
    meets an origin that it does not know.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer 403, or pass the request on."""
        if scope["type"] not in ("http", "websocket") or _is_own(dict(scope["headers"])):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"This page is for the browser of its own machine."})


def _is_own(headers: MutableMapping[bytes, bytes]) -> bool:
    """Tell whether Host is this machine, on any port (it may be forwarded), and Origin, if there is one, the same."""
    host = headers.get(b"host", b"").decode("latin-1").lower()
    origin = headers.get(b"origin")
    return host.partition(":")[0] in HOSTS and origin in (None, f"http://{host}".encode("latin-1"))


def serve(settings: Settings, port: int) -> None:
    """Show the page on a port of 127.0.0.1 until Ctrl-C; print its address when the first look will be a quick one.

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
    import streamlit
    from starlette.middleware import Middleware

    warm(settings)
    sys.argv = [str(SCRIPT), *settings.to_words()]  # what the page's script reads
    print(f"Open http://127.0.0.1:{port} in a browser; Ctrl-C ends the page.", flush=True)
    streamlit.App(SCRIPT, middleware=[Middleware(OwnPageOnly)]).run(config=SERVER | {"server.port": port})


def warm(settings: Settings) -> None:
    """Read the first study and import what pages need before anybody looks."""
    with contextlib.suppress(StudyError, OSError):  # the page will say what is wrong
        current_study(settings.results, settings.first_of(studies(settings.results)))
    for package in ("pandas", "pyarrow", "scipy.stats"):
        importlib.import_module(package)
