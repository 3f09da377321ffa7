"""A real headless Chromium before a real `study web`: started, driven, and ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 90
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--no-proxy-server",
)  # fmt: skip
#: Words of messages that Chromium itself writes and no page can help.
NOISE = ("favicon.ico",)


def missing() -> str:
    """Return what is missing for tests in a browser; empty where all is there."""
    lacking = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    with contextlib.suppress(ImportError):
        import selenium  # noqa: F401
        import streamlit  # noqa: F401

        return f"needs {' and '.join(lacking)} (Debian: apt-get install chromium chromium-driver)" if lacking else ""
    return "needs selenium and streamlit (the extras test and web)"


def free_port() -> int:
    """Return a port that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def served(folder: Path, *words: str) -> Iterator[tuple[str, Path]]:
    """Run `study web` in a folder; yield its address and the file of what it prints."""
    port, log = free_port(), folder / "web.log"
    call = [sys.executable, "-m", "study", "web", "--port", str(port), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    with log.open("w") as output:
        process = subprocess.Popen(call, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            address = f"http://127.0.0.1:{port}"
            wait(lambda: process.poll() is not None or _healthy(address), "the server to answer")
            assert process.poll() is None, log.read_text()
            yield address, log
        finally:
            process.terminate()
            process.wait(timeout=30)


def _healthy(address: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
        return bool(answer.status == 200)
    return False


@contextlib.contextmanager
def browser(profile: Path, video: Path | None = None) -> Iterator[Any]:
    """Yield a driver of Chromium with a new profile; its camera shows a file where one is given (.mjpeg)."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.add_argument("--use-fake-device-for-media-stream")
    options.add_argument("--use-fake-ui-for-media-stream")
    if video is not None:
        options.add_argument(f"--use-file-for-fake-video-capture={video}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_page_load_timeout(PATIENCE_S)
    try:
        yield driver
    finally:
        driver.quit()


def wait(until: Any, what: str, seconds: float = PATIENCE_S) -> Any:
    """Return what a call gives as soon as that is true; stale elements are asked again."""
    from selenium.common.exceptions import WebDriverException

    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            if found := until():
                return found
        except WebDriverException as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds:.0f} s for {what}" + (f" ({last})" if last else ""))


class Page:
    """What a reader does on the page.

    Args:
        driver: Of the browser.
        address: Of the server.
    """

    def __init__(self, driver: Any, address: str) -> None:
        self.driver = driver
        self.address = address

    def open(self, path: str, title: str) -> None:
        """Open one of the pages and wait until it is drawn."""
        self.driver.get(f"{self.address}/{path}")
        wait(lambda: title in self.texts("h1"), f"the title {title}")
        self.settle()

    def settle(self) -> None:
        """Wait until the page's script has run."""
        quiet = (
            "return document.querySelector('.stApp').dataset.testScriptState === 'notRunning'"
            ' && !document.querySelector(\'[data-testid="stSpinner"], [data-testid="stSkeleton"]\')'
        )
        for _ in range(2):  # what was just pressed may not have reached the server yet
            wait(lambda: self.driver.execute_script(quiet), "the page to come to rest")
            time.sleep(0.3)

    def all(self, selector: str) -> list[Any]:
        """Return the elements of a CSS selector."""
        return list(self.driver.find_elements("css selector", selector))

    def texts(self, selector: str) -> list[str]:
        """Return the words of a selector's elements, shown or not."""
        return [(one.get_attribute("textContent") or "").strip() for one in self.all(selector)]

    def shows(self, words: str) -> None:
        """Wait until the page shows some words."""
        wait(lambda: words in self.driver.find_element("css selector", "body").text, f"the words {words!r}")

    def column(self, number: int, table: int = 0) -> list[str]:
        """Return a column of a table as screen readers are told it, from 0."""
        grid = self.all("[data-testid='stDataFrame']")[table]
        rows = grid.find_elements("css selector", "table tbody tr")
        cells = [row.find_elements("css selector", "td") for row in rows]
        return [(one[number].get_attribute("textContent") or "") for one in cells if len(one) > number]

    def choose(self, label: str, value: str) -> None:
        """Choose a value of a select box or a multiselect by typing it."""
        from selenium.webdriver.common.keys import Keys

        box = self.field(label)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", box)
        box.click()
        box.send_keys(value)
        wait(lambda: self.all("[role='option']"), f"options for {value}")
        box.send_keys(Keys.ENTER)
        self.settle()

    def field(self, label: str) -> Any:
        """Return the input of a label."""
        path = f"//*[normalize-space()='{label}']/ancestor::*[@data-testid][.//input][1]//input"
        return wait(lambda: self.driver.find_element("xpath", path), f"the field {label}")

    def press(self, words: str) -> None:
        """Press what has these words on it."""
        path = f"//*[self::button or self::summary or self::label or self::a][contains(normalize-space(), '{words}')]"
        found = wait(lambda: self.driver.find_element("xpath", path), f"a button {words}")
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
        wait(lambda: found.click() or True, f"to press {words}")
        self.settle()

    def top(self, element: Any) -> float:
        """Return how far below the window's upper edge an element starts, in pixels."""
        return float(self.driver.execute_script("return arguments[0].getBoundingClientRect().top", element))

    def camera(self, selector: str, name: str) -> Any:
        """Return a property of an element beside the live camera; None where there is none."""
        script = (
            "const host = [...document.querySelectorAll('*')].find(one => one.shadowRoot?.querySelector('video'));"
            "return host ? host.shadowRoot.querySelector(arguments[0])[arguments[1]] : null"
        )
        return self.driver.execute_script(script, selector, name)

    def at_frame(self, script: str, again: bool = False) -> None:
        """Run a script in the instant in which the live camera sends its next frame, or each frame from now on."""
        once = "" if again else "OffscreenCanvas.prototype.getContext = real;"
        self.driver.execute_script(
            "const real = OffscreenCanvas.prototype.getContext; OffscreenCanvas.prototype.getContext ="
            f" function (...words) {{ {once} {script}; return real.apply(this, words); }}"
        )

    def errors(self) -> list[str]:
        """Return what the console says that is an error, since it was last asked."""
        entries = self.driver.get_log("browser")
        return [
            one["message"]
            for one in entries
            if one["level"] == "SEVERE" and not any(word in one["message"] for word in NOISE)
        ]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.driver.execute_script(script))

    def resize(self, width: int, height: int) -> None:
        """Give the window another size, as of a telephone where it is narrow."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )

    def picture(self, path: Path, width: int, height: int) -> None:
        """Write a screenshot of a window of this size."""
        self.resize(width, height)
        self.settle()
        time.sleep(0.7)
        self.driver.save_screenshot(str(path))
