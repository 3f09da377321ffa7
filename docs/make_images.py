"""Take the README's three pictures with a headless Chromium: ``python -m docs.make_images RESULTS REPORT DEMO``.

RESULTS is a folder of records. REPORT is the study whose report is shown. DEMO is a study of drawn faces with trained
weights, for the page and the prediction. No picture shows an image of a dataset, only drawn faces.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from study.core.store import Store
from study.report.write import HTML, HTML_FILE, write_report
from tests.faces.people import put_face
from tests.web.browser import ROOT, Page, browser, served

IMAGES = Path(__file__).parent / "images"
WIDTH_PX, HEIGHT_PX = 1280, 860
#: Width in the repository: a third of the README's column on a dense screen.
KEPT_PX = 900


def main(results: Path, report: str, demo: str) -> None:
    """Write ``report.png``, ``page.png`` and ``prediction.png``."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        page = write_report(Store(results, report), place / "reports", forms=[HTML])
        predict(results, demo, place)
        with (
            served(place, demo, "--results", str(results)) as (address, _),
            browser(place / "profile") as driver,
        ):
            driver.get((page.parent / HTML_FILE).as_uri())
            driver.set_window_size(WIDTH_PX, HEIGHT_PX)
            driver.save_screenshot(str(place / "report.png"))
            shown = Page(driver, address)
            shown.open("", "At a glance")
            shown.picture(place / "page.png", WIDTH_PX, HEIGHT_PX)
        for path in (place / "report.png", place / "page.png", place / "marked" / "faces-faces.png"):
            keep(path, IMAGES / f"{'prediction' if path.parent.name == 'marked' else path.stem}.png")


def predict(results: Path, study: str, place: Path) -> None:
    """Let ``study predict`` mark a picture with three drawn faces."""
    shade = np.linspace(190, 120, 640)[:, np.newaxis, np.newaxis] + np.array([12, 4, 0])  # a wall in evening light
    picture = np.broadcast_to(shade, (640, 960, 3)).astype(np.uint8)
    # Happy, angry and neutral: the detector, made for photographs, does not find the drawn surprised face.
    for number, (face, x) in enumerate(((3, 190), (0, 480), (6, 770))):
        put_face(picture, face, (x, 330 + 25 * (number % 2)), 200)
    Image.fromarray(picture[..., ::-1]).save(place / "faces.png")
    words = ["--image", str(place / "faces.png"), "--save", str(place / "marked"), "--bars", "--study", study]
    call = [sys.executable, "-m", "study", "predict", *words, "--results", str(results)]
    subprocess.run(call, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def keep(path: Path, target: Path) -> None:
    """Write a picture smaller, with few colours, so that the repository stays small."""
    with Image.open(path) as picture:
        small = picture.convert("RGB")
        small.thumbnail((KEPT_PX, KEPT_PX), Image.Resampling.LANCZOS)
        # Rare colours count: the median cut made the orange dots of a figure grey.
        few = small.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
        few.save(target, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), *sys.argv[2:])
