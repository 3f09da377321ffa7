"""Datasets from Kaggle, through kagglehub: ``kaggle:owner/name``."""

from __future__ import annotations

import re
from pathlib import Path

from study.core.errors import DataError

PREFIX = "kaggle"
_HANDLE = re.compile(r"[\w.-]+/[\w.-]+(/versions/\d+)?", re.ASCII)
_WITHOUT = "Or download it in a browser and give the file."


def fetch(handle: str) -> Path:
    """Return the folder of a Kaggle dataset such as ``msambare/fer2013``, downloaded once and kept by kagglehub.

    Raises:
        DataError: kagglehub is missing, Kaggle cannot be reached, refuses, or has no such dataset.
    """
    if not _HANDLE.fullmatch(handle):
        raise DataError(f"kaggle:{handle[:80]}: expected kaggle:owner/name, such as kaggle:msambare/fer2013.")
    try:
        import kagglehub
    except ImportError:
        raise DataError(
            f"kaggle:{handle} needs the package kagglehub, which is not installed: "
            f"pip install 'facial-emotion-study[kaggle]'. {_WITHOUT}"
        ) from None
    try:
        return Path(kagglehub.dataset_download(handle))
    except Exception as error:  # kagglehub raises what it and its HTTP library please
        raise DataError(f"kaggle:{handle}: expected to download it, {_reason(error)} {_WITHOUT}") from error


def _reason(error: Exception) -> str:
    """Say why a download failed, and what helps."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    name = type(error).__name__
    if status == 404 or name == "NotFoundError":
        return "Kaggle knows no such dataset. Check the name."
    if status in (401, 403) or name in ("UnauthenticatedError", "CredentialError"):
        return (
            "Kaggle refuses without an account that may see it. Put an API token into ~/.kaggle/kaggle.json or "
            "KAGGLE_USERNAME and KAGGLE_KEY (kaggle.com/settings), and accept the dataset's terms there."
        )
    if status is not None:
        return f"Kaggle answered with status {status}. Try later."
    if isinstance(error, OSError) and "onnect" in name + str(error) or name in ("ProxyError", "Timeout", "SSLError"):
        return "Kaggle cannot be reached. Check the network."
    text = (str(error).strip().splitlines() or [name])[0][:120]
    return f"found: {text.rstrip('.')}."
