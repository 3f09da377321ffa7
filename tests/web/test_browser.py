"""The page and the HTML report in a real Chromium: every page opens, what can be pressed works, nothing complains."""

from __future__ import annotations

import base64
import time

import cv2
import pytest
from PIL import Image

from study.core.store import Store
from study.datasets.load import load
from study.report.collect import collect
from study.report.write import HTML, write_report
from tests.faces.people import background, put_face
from tests.factories import make_card, make_counts, make_store
from tests.trained.runs import add_onnx, keep
from tests.web.browser import Page, browser, missing, served, wait

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(missing()), reason=missing() or "all is there"),
]
PAGES = {"": "At a glance", "compare": "Compare two runs", "run": "One run", "dataset": "Dataset", "try": "Try it"}
DRAWN = "[data-testid='stVegaLiteChart'] canvas, [data-testid='stVegaLiteChart'] svg.marks"
#: Streamlit's own page asks for these below the page's path first, where it is opened by its address.
PROBES = ("/_stcore/health", "/_stcore/host-config")


@pytest.fixture
def checked(capsys):
    """What a test has checked; printed when it ends."""
    done: list[str] = []
    yield done.append
    with capsys.disabled():
        print("", *(f"  checked: {line}" for line in done), sep="\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a study of built-in faces, one of its runs exported, an audit, pictures, a film for the camera."""
    folder = tmp_path_factory.mktemp("browser")
    card = load("synthetic:images=600", log=lambda line: None).card()
    store = make_store(folder / "results", "faces", models=("cnn2", "cnn3"), card=card)
    add_onnx(store, keep(store, "cnn3", "augment", 1, card=card))
    audit = folder / "reports" / f"{card.name}-audit"
    audit.mkdir(parents=True)
    words = f"# Audit of faces\n\nFingerprint `{card.fingerprint[:12]}`.\n\n"
    words += "<details><summary>Folded</summary>\n\nInside.\n\n</details>\n"
    (audit / "README.md").write_text(words, encoding="utf-8")
    picture = background(640, 480).copy()
    put_face(picture, 3, (320, 240), 220)
    Image.fromarray(picture[..., ::-1]).save(folder / "face.jpg")
    (folder / "renamed.txt").write_bytes((folder / "face.jpg").read_bytes())
    (folder / "no-picture.png").write_text("no picture at all")
    (folder / "large.png").write_bytes(bytes(11 << 20))
    frame = cv2.imencode(".jpg", picture)[1].tobytes()
    (folder / "camera.mjpeg").write_bytes(frame * 30)
    return folder


@pytest.fixture(scope="module")
def page(folder, tmp_path_factory):
    """The running page in a browser."""
    with (
        served(folder) as (address, log),
        browser(tmp_path_factory.mktemp("profile"), folder / "camera.mjpeg") as driver,
    ):
        yield Page(driver, address)
    assert "Traceback" not in log.read_text(), "the server complained"


def complaints(page):
    return [one for one in page.errors() if not any(probe in one for probe in PROBES)]


def upload(page, path):
    page.open("try", "Try it")
    field = wait(lambda: page.all("[data-testid='stFileUploader'] input[type='file']"), "the field for pictures")[0]
    field.send_keys(str(path))
    page.settle()


def test_every_page_opens_at_both_widths_without_a_complaint(page, checked):
    for path, title in PAGES.items():
        for width, height in ((1280, 900), (390, 844)):
            page.resize(width, height)
            page.open(path, title)
            assert page.overflow() <= 0, f"{title} is wider than a window of {width} pixels"
            assert page.all("[data-testid='stException']") == []
            checked(f"{title} opens at {width} pixels and is no wider")
    page.resize(1280, 900)
    assert complaints(page) == []
    checked("the console is free of errors")


def test_nothing_is_fetched_from_elsewhere(page, checked):
    page.open("", "At a glance")
    fetched = page.driver.execute_script("return performance.getEntriesByType('resource').map(one => one.name)")
    assert len(fetched) > 5
    assert [one for one in fetched if not one.startswith((page.address, "data:", "blob:"))] == []
    checked(f"all of {len(fetched)} requests went to 127.0.0.1")


def test_the_study_is_seen_at_a_glance_at_both_widths(page, folder, checked):
    data = collect(Store(folder / "results", "faces"))
    best, score = data.ranked[0], data.found.winner()
    for width, height in ((1280, 900), (390, 844)):
        page.resize(width, height)
        page.open("", "At a glance")
        card = wait(lambda: page.all("[data-testid='stMetric']"), "the card")[0]
        assert page.top(card) < height
        for words in (str(best.recipe), f"{100 * score.value:.1f} %", "95 %:", "What the factors do"):
            page.shows(words)
        figure = wait(lambda: page.all(DRAWN), "the figure")[0]
        sentences = page.all("[data-testid='stMarkdown'] li")
        table = page.all("[data-testid='stDataFrame']")[0]
        order = [page.top(one) for one in (card, figure, sentences[0], sentences[3], table)]
        assert order == sorted(order)
        checked(f"at {width} pixels: card, figure, four sentences, then sections")
        late = {str(one.recipe) for one in data.standings if one.unconverged}
        assert late and {one.removeprefix("† ") for one in page.column(1) if one.startswith("† ")} >= late
        page.shows("† Not converged")
        checked("recipes that have not converged say so before their names")
        page.shows("Responsible use.")
        page.shows("AI Act")
    page.resize(1280, 900)
    checked("the note on responsible use")
    assert complaints(page) == []


def test_effects_costs_and_curves_of_several_runs_are_drawn(page, checked):
    page.open("", "At a glance")
    before = wait(lambda: len(page.all(DRAWN)) >= 5 and len(page.all(DRAWN)), "five charts")
    for button in ("Macro-F1", "Training, min"):
        page.press(button)
        assert len(page.all(DRAWN)) == before
        checked(f"{button} draws other numbers")
    assert "accuracy of 4 runs by epoch" in page.driver.page_source
    page.choose("Runs", "test-as-validation")
    wait(lambda: "accuracy of 5 runs by epoch" in page.driver.page_source, "a fifth curve")
    checked("curves of four runs in one chart, and of one more on demand")
    page.press("Training batches too")
    assert len(page.all(DRAWN)) == before and page.all("[data-testid='stException']") == []
    assert complaints(page) == []


def test_the_leaderboard_is_sorted_and_filtered(page, checked):
    page.open("", "At a glance")
    everything = page.column(2)
    assert len(everything) > 5
    scores = sorted(map(float, everything), reverse=True)
    page.choose("Sort by", "Test accuracy")
    wait(lambda: [float(one) for one in page.column(2)] == scores, "the best first")
    checked("sorting by test accuracy puts the best first")
    page.press("Worst first")
    wait(lambda: [float(one) for one in page.column(2)] == scores[::-1], "the worst first")
    checked("and the worst first on demand")
    page.press("Filters")
    page.choose("Protocols", "oversample+augment")
    wait(lambda: all(one.endswith("/ oversample+augment") for one in page.column(1)), "the chosen ones")
    assert page.column(1)
    checked("a filter leaves what was chosen")
    assert complaints(page) == []


def test_two_runs_are_compared_and_their_images_shown(page, checked):
    page.open("compare", "Compare two runs")
    page.shows("95 % interval of the difference")
    wait(lambda: len(page.all(DRAWN)) >= 2, "two charts")
    checked("difference of accuracies with interval; per class and of confusion matrices as charts")
    before = page.column(4)
    page.press("F1")
    assert page.column(4) != before
    checked("another measure gives other differences")
    page.press("Show the images")
    pictures = wait(lambda: page.all("[data-testid='stImage'] img"), "the images")
    assert all(page.driver.execute_script("return arguments[0].naturalWidth", one) for one in pictures)
    checked(f"{len(pictures)} images on which the two disagree are shown")
    assert complaints(page) == []


def test_a_run_and_the_dataset_say_what_is_stored(page, checked):
    page.open("run", "One run")
    page.shows("Learning curves")
    page.shows("How it was made")
    assert len(page.all("[data-testid='stVegaLiteChart']")) == 3
    checked("curves, confusion matrix and facts of a run")
    page.open("dataset", "Dataset")
    page.press("Folded")
    page.shows("Inside.")
    checked("the dataset's audit unfolds")
    assert complaints(page) == []


def test_an_uploaded_picture_is_answered_whatever_it_is_called(page, folder, checked):
    for name in ("face.jpg", "renamed.txt"):
        upload(page, folder / name)
        page.shows("Face 1:")
        page.shows("Trained on drawn faces")
        checked(f"{name} is answered, with the notice of drawn faces")
    assert complaints(page) == []


def test_what_is_no_picture_is_refused_in_one_line(page, folder, checked):
    upload(page, folder / "no-picture.png")
    page.shows("This cannot be read as a picture")
    assert "Traceback" not in page.driver.page_source
    checked("text called .png is refused in one line")
    upload(page, folder / "large.png")
    page.shows("File must be 10.0MB or smaller")
    assert not page.all("[data-testid='stImage']")
    checked("11 MB are refused")


def test_the_camera_is_shown_live_with_numbered_faces(page, checked):
    for width, height in ((390, 844), (1280, 900)):
        page.resize(width, height)
        page.open("try", "Try it")
        page.press("The camera, live")
        said = wait(lambda: page.camera("p", "textContent"), "an answer")
        wait(lambda: "frames a second" in (page.camera("p", "textContent") or ""), "an answer to a frame")
        said = page.camera("p", "textContent")
        assert said.startswith("1 ") and "%" in said
        assert page.camera("video", "videoWidth") == 640 and page.overflow() <= 0
        checked(f"at {width} pixels: {said}")
    page.at_frame("window.sent += 1", again=True)
    page.driver.execute_script("window.sent = 0; window.dispatchEvent(new Event('pointerdown'))")
    time.sleep(0.4)
    assert page.driver.execute_script("return window.sent") == 0
    wait(lambda: page.driver.execute_script("return window.sent"), "a frame after it")
    checked("no frame is sent right after a press, so that the press is not lost in it")
    page.at_frame("[...document.querySelectorAll('button')].find((one) => one.textContent === 'A picture').click()")
    wait(lambda: not page.camera("video", "videoWidth"), "the video to go")
    checked("another source ends the video, also where it is chosen in the instant of a frame")
    assert complaints(page) == []


def test_a_camera_allowed_after_its_view_is_left_is_switched_off(page, checked):
    page.open("try", "Try it")
    page.driver.execute_script(
        "const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
        "navigator.mediaDevices.getUserMedia = async (wanted) => {"
        " await new Promise((allow) => { window.allow = allow; });"
        " return window.given = await real(wanted); }"
    )
    page.press("The camera, live")
    wait(lambda: page.driver.execute_script("return !!window.allow"), "the question for the camera")
    page.press("A picture")
    wait(lambda: page.camera("video", "videoWidth") is None, "the view to go")
    time.sleep(4)  # a view that is gone for 3 s does not come back
    page.driver.execute_script("window.allow()")
    state = "return window.given?.getTracks()[0].readyState"
    wait(lambda: page.driver.execute_script(state) == "ended", "the camera to be switched off", seconds=15)
    checked("a camera that is allowed after another source was chosen is switched off at once")
    assert complaints(page) == []


def test_a_photo_by_the_camera_is_answered(page, checked):
    page.open("try", "Try it")
    page.press("A photo")
    wait(lambda: page.driver.execute_script("return (document.querySelector('video') || {}).videoWidth"), "the camera")
    page.press("Take Photo")
    page.shows("Face 1:")
    checked("a face before the (fake) camera is answered")
    assert complaints(page) == []


def test_a_hundred_runs_open_soon(tmp_path, checked):
    """The aim is three seconds; the processor's time is what is asserted, since the machine may be busy."""
    card = make_card(counts=make_counts(28709, 3589, 3589))
    store = make_store(tmp_path / "results", "hundred", seeds=range(5), card=card, flaws=False)
    start = time.process_time()
    assert len(collect(store).runs) == 100
    spent = time.process_time() - start
    assert spent < 5
    checked(f"100 runs of FER-2013's size are read, ranked and tested in {spent:.1f} s of processor time")
    with served(tmp_path) as (address, _), browser(tmp_path / "profile") as driver:
        page = Page(driver, address)
        for state in ("new", "back"):  # a new one has to fetch and compile Streamlit's own scripts first
            driver.get("about:blank")
            start = time.monotonic()
            driver.get(address)
            wait(lambda: page.all("[data-testid='stDataFrame'] table tbody tr"), "the table")
            spent = time.monotonic() - start
            checked(f"their leaderboard is shown {spent:.1f} s after the address was entered, browser {state}")


def test_the_html_report_works_alone(tmp_path, checked):
    store = Store(tmp_path / "results", "s")
    make_store(tmp_path / "results", "s", models=("cnn2", "cnn3"))
    path = write_report(store, tmp_path / "reports", forms=(HTML,)).parent / "report.html"
    alone = tmp_path / "elsewhere" / "report.html"
    alone.parent.mkdir()
    path.rename(alone)
    with browser(tmp_path / "profile") as driver:
        page = Page(driver, alone.as_uri())
        for width, height in ((1280, 900), (390, 844)):
            page.resize(width, height)
            driver.get(alone.as_uri())
            assert page.overflow() <= 0
        others = "return performance.getEntriesByType('resource').filter(one => !one.name.startsWith('data:')).length"
        assert driver.execute_script(others) == 0
        assert driver.execute_script("return [...document.images].every(one => one.naturalWidth || !one.src)")
        checked("it opens at 1280 and 390 pixels, fetches nothing, and shows every figure")
        page.resize(1280, 900)
        table = driver.find_elements("css selector", "#leaderboard ~ .wide table")[0]
        heads = table.find_elements("css selector", "th button")
        place = [one.text for one in heads].index("macro-F1")
        cells = f"return [...arguments[0].querySelectorAll('tbody td:nth-child({place + 1})')].map("
        cells += "one => parseFloat(one.firstChild.textContent))"
        before = driver.execute_script(cells, table)
        head = heads[place]
        head.click()
        assert driver.execute_script(cells, table) == sorted(before)
        head.click()
        assert driver.execute_script(cells, table) == sorted(before, reverse=True)
        checked("a table sorts up and down by a click on its heading")
        driver.find_element("css selector", "img.figure").click()
        assert driver.find_element("id", "enlarged").is_displayed()
        driver.find_element("css selector", "#enlarged button").click()
        assert not driver.find_element("id", "enlarged").is_displayed()
        checked("a figure enlarges and closes")
        paper = "return getComputedStyle(document.body).backgroundColor"
        light = driver.execute_script(paper)
        driver.find_element("id", "theme").click()
        assert driver.execute_script(paper) != light
        checked("light and dark")
        printed = base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
        assert printed.startswith(b"%PDF") and len(printed) > 50_000
        checked(f"it prints ({len(printed) >> 10} KiB of PDF)")
        assert page.errors() == []
        checked("the console is free of errors")
