"""What `study web` was told, handed to the page's script as one word of JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from study.core.errors import UsageError

#: Names under which this machine's own browser asks for the page.
HOSTS = ("127.0.0.1", "localhost")
#: Streamlit's own options: this machine only, nothing watched or sent, small uploads, no tracebacks on the page.
SERVER: dict[str, Any] = {
    "server.address": "127.0.0.1",
    "server.allowedHosts": list(HOSTS),
    "server.enableCORS": True,
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.runOnSave": False,
    "server.maxUploadSize": 10,
    "server.enableXsrfProtection": True,
    "server.enableStaticServing": False,
    "server.enableAgentApi": False,
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.showErrorLinks": False,
    "client.toolbarMode": "minimal",
    "global.developmentMode": False,
    "logger.hideWelcomeMessage": True,
    "theme.light.primaryColor": "#0550ae",
    "theme.dark.primaryColor": "#79b8ff",
}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the page shows."""

    results: str = "results"  #: Folder of records.
    reports: str = "reports"  #: Folder of reports, for audits.
    study: str = ""  #: The study that is shown first; empty for the first by name.
    data: str = ""  #: Where the dataset is, for pictures of disagreements; empty for built-in faces and ``data/``.
    detector: str = ""  #: ``haar`` or YuNet's model file; empty for BlazeFace.
    plugins: tuple[str, ...] = ()  #: Files that register models, for networks that only Keras can run.

    def to_words(self) -> list[str]:
        """Return the settings as arguments of the script."""
        return [msgspec.json.encode(self).decode()]

    @classmethod
    def from_words(cls, words: Sequence[str]) -> Settings:
        """Return what ``to_words`` was made from; without words the defaults.

        Raises:
            UsageError: other words.
        """
        try:
            return msgspec.json.decode(words[0], type=cls) if words else cls()
        except (msgspec.DecodeError, ValueError) as error:
            raise UsageError(f"the page takes its settings from `study web`, got {words[0][:60]!r}.") from error

    def first_of(self, studies: Sequence[str]) -> str:
        """Return the study that is shown first: the one asked for, else the first."""
        return self.study if self.study in studies else studies[0] if studies else ""
