"""An uploaded picture is judged by its content, and answered or refused in one line."""

import io

import numpy as np
import pytest
from PIL import Image

from study.core.store import Store
from study.faces.detection import open_detector
from study.report.collect import collect
from study.web.asking import MOST_MB, ask, usable_runs
from tests.faces.people import background, put_face
from tests.trained.fakes import fake_runtime
from tests.trained.runs import add_onnx, keep


def packed(picture, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format=kind)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def detector():
    return open_detector()


def test_faces_are_found_answered_and_marked(detector):
    picture = background(640, 480).copy()
    put_face(picture, 3, (320, 240), 200)
    found = ask(packed(picture[..., ::-1], "JPEG"), fake_runtime(), detector)
    assert len(found.answers) == 1 and not found.whole
    assert found.marked.ndim == 3 and found.marked.dtype == np.uint8


def test_a_small_square_picture_is_one_face(detector):
    found = ask(packed(np.full((48, 48), 250, np.uint8)), fake_runtime(), detector)
    assert found.whole and found.answers[0].label == 6


def test_a_picture_without_a_face_has_no_answers(detector):
    assert ask(packed(np.full((300, 400, 3), 128, np.uint8)), fake_runtime(), detector).answers == ()


@pytest.mark.parametrize(
    "data", [b"", b"MZ not a picture", b"<svg/>", b"\x89PNG\r\n\x1a\n cut", b"GIF89a", b"x" * ((MOST_MB << 20) + 1)]
)
def test_what_is_no_picture_is_refused_in_one_short_line(data, detector):
    with pytest.raises(ValueError) as error:
        ask(data, fake_runtime(), detector)
    assert 0 < len(str(error.value)) < 120 and "\n" not in str(error.value)


def test_only_runs_whose_network_is_here_are_offered_leaky_ones_last(tmp_path):
    store = Store(tmp_path, "s")
    exported, leaky = keep(store, "cnn3"), keep(store, "cnn3", "leaky/test-as-validation")
    other = keep(store, "cnn2", "augment")
    gone = keep(store, "cnn2", "baseline")
    store.weights_path(gone.spec).unlink()
    add_onnx(store, exported)
    found = usable_runs(store, collect(store))
    assert {record.key: kind for record, kind in found} == {
        exported.key: "onnx",
        leaky.key: "keras",
        other.key: "keras",
    }
    assert found[-1][0].key == leaky.key
