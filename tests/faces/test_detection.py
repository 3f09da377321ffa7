"""Faces are found where they are, framed as FER-2013 frames them."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import pytest

from study.core.errors import UsageError
from study.core.files import file_sha256
from study.faces.detection import (
    BlazeFace,
    Box,
    Detection,
    Detector,
    HaarDetector,
    YuNetDetector,
    distinct,
    open_detector,
    overlap,
    square,
)
from tests.faces.people import background, drawn_faces, put_face
from tests.faces.photographs import photograph

PLACES = [((150.0, 200.0), 100.0), ((400.0, 250.0), 160.0), ((760.0, 300.0), 240.0)]


def crowd(width: int = 1280, height: int = 720, grow: float = 1.0) -> np.ndarray:
    picture = background(width, height).copy()
    for face, ((x, y), side) in enumerate(PLACES):
        put_face(picture, face, (x * grow, y * grow), side * grow)
    return picture


def boxes(detector: Detector, picture: np.ndarray) -> list[Box]:
    return [face.box for face in detector.find(picture)]


@pytest.mark.parametrize("name", ["blazeface", "haar"])
def test_every_face_is_found_from_left_to_right_in_the_framing_of_the_training_images(name: str) -> None:
    """The drawn faces fill their images about as FER-2013's do, so the boxes must be about those images."""
    found = boxes(open_detector(name), crowd())
    assert len(found) == len(PLACES)
    for box, ((x, y), side) in zip(found, PLACES, strict=True):
        assert box.width == box.height == pytest.approx(side, rel=0.3)
        assert box.centre == pytest.approx((x, y), abs=(0.06 if name == "haar" else 0.1) * side)


@pytest.mark.parametrize("name", ["blazeface", "haar"])
def test_the_search_of_a_video_finds_the_same_faces(name: str) -> None:
    found = boxes(open_detector(name, video=True), crowd())
    assert [box.centre for box in found] == [pytest.approx(place, abs=0.1 * side) for place, side in PLACES]


@pytest.mark.parametrize("name", ["blazeface", "haar"])
def test_boxes_are_pixels_of_the_picture_and_not_of_the_reduced_one(name: str) -> None:
    assert [box.centre for box in boxes(open_detector(name), crowd(3200, 1800, grow=2.5))] == [
        pytest.approx((x * 2.5, y * 2.5), abs=0.1 * side * 2.5) for (x, y), side in PLACES
    ]


def test_faces_that_fill_their_pictures_are_found_too() -> None:
    """Without a border around it, one in six or seven is missed by the cascade."""
    for face in drawn_faces():
        large = cv2.resize(face, (200, 200), interpolation=cv2.INTER_CUBIC)
        (box,) = boxes(HaarDetector(), cv2.cvtColor(large, cv2.COLOR_GRAY2BGR))
        assert box.width == pytest.approx(200, rel=0.25)


@pytest.mark.parametrize("zoom", [0.06, 0.12, 0.25, 0.5, 1.0])
def test_a_face_of_any_size_is_found_once_in_the_same_framing(zoom: float) -> None:
    """Admiral Hopper fills the picture, or is as small as 30 pixels in the corner of a wide one."""
    photo = photograph("matplotlib", "mpl-data", "sample_data", "grace_hopper.jpg")
    small = cv2.resize(photo, None, fx=zoom * 2, fy=zoom * 2, interpolation=cv2.INTER_AREA)
    picture = np.full((1400, 1100, 3), 90, np.uint8)
    picture[-small.shape[0] :, -small.shape[1] :] = small
    ((box, score),) = BlazeFace().find(picture)
    corner = np.array([1100 - small.shape[1], 1400 - small.shape[0]])
    assert (np.array(box.centre) - corner) / (2 * zoom) == pytest.approx([265, 217], abs=20)
    assert box.width / (2 * zoom) == pytest.approx(232, rel=0.15) and 0.6 < score <= 1


def test_a_close_up_of_a_face_is_found_in_the_first_pass() -> None:
    photo = photograph("matplotlib", "mpl-data", "sample_data", "grace_hopper.jpg")[90:330, 140:380]
    large = cv2.resize(photo, (1200, 1200), interpolation=cv2.INTER_CUBIC)
    ((box, _),) = BlazeFace().find(large)
    assert box.width == pytest.approx(1160, rel=0.15) and box.centre == pytest.approx((625, 635), abs=90)


@pytest.mark.parametrize("name", ["blazeface", "haar"])
@pytest.mark.parametrize("video", [False, True])
def test_real_photographs_have_the_faces_that_they_have(name: str, video: bool) -> None:
    """Admiral Hopper before a flag and a computer, a temple, and a flower that looks a little like a face."""
    detector = open_detector(name, video=video)
    (box,) = boxes(detector, photograph("matplotlib", "mpl-data", "sample_data", "grace_hopper.jpg"))
    assert box.centre == pytest.approx((265, 217), abs=20) and box.width == pytest.approx(225, rel=0.15)
    for other in ("china.jpg", "flower.jpg"):
        assert detector.find(photograph("sklearn", "datasets", "images", other)) == []


@pytest.mark.parametrize("shape", [(720, 1280), (40, 2000), (1, 1), (2000, 3)])
@pytest.mark.parametrize("name", ["blazeface", "haar"])
def test_nothing_is_found_where_nobody_is(name: str, shape: tuple[int, int]) -> None:
    height, width = shape
    for detector in (open_detector(name), open_detector(name, video=True)):
        assert detector.find(background(width, height, seed=1)) == []


@pytest.mark.parametrize(("name", "least"), [("blazeface", 0.8), ("haar", 56.5)])
def test_faces_below_the_score_that_is_asked_for_are_left_out(name: str, least: float) -> None:
    found = open_detector(name).find(crowd())
    kept = open_detector(name, least_score=least).find(crowd())
    assert 0 < len(kept) < len(found) and kept == [face for face in found if face.score >= least]


def test_the_model_is_the_one_that_its_readme_names() -> None:
    folder = Path(str(resources.files("study.faces"))) / "models"
    readme = (folder / "README.md").read_text(encoding="utf-8")
    for file in folder.glob("*.onnx"):
        row = f"| `{file.name}` | {file.stat().st_size:,} | `{file_sha256(file)}` |"
        assert row in readme
    assert len(list(folder.glob("*.onnx"))) == 2 and "Apache License 2.0" in readme


def test_of_two_hits_on_one_face_the_one_with_the_better_score_is_kept() -> None:
    face, mouth = Box(100, 100, 200, 200), Box(170, 220, 60, 60)
    twice_too_large, other = Box(50, 60, 400, 400), Box(10, 400, 100, 100)
    found = [Detection(mouth, 0.6), Detection(face, 0.9), Detection(other, 0.5), Detection(twice_too_large, 0.7)]
    assert [one.box for one in distinct(found)] == [other, face]
    beside = Detection(Box(290, 100, 200, 200), 0.5)
    assert distinct([Detection(face, 0.9), beside]) == [Detection(face, 0.9), beside]


def test_overlap_is_intersection_over_union_and_over_the_smaller() -> None:
    assert overlap(Box(0, 0, 10, 10), Box(5, 0, 10, 10)) == (pytest.approx(1 / 3), pytest.approx(1 / 2))
    assert overlap(Box(0, 0, 10, 10), Box(2, 2, 5, 5)) == (pytest.approx(1 / 4), 1)
    assert overlap(Box(0, 0, 10, 10), Box(10, 0, 10, 10)) == (0, 0)


def test_a_square_is_in_whole_pixels_around_its_centre() -> None:
    assert square(100.0, 50.0, 40.0) == Box(80, 30, 40, 40)
    assert all(isinstance(number, int) for number in square(np.float32(1.4), 2.6, np.float64(9.7)))


class FaceDetectorYN:
    """Answers as OpenCV's does: box, five points and a score in a row, here of one face upright in 160x120."""

    eyes_apart, tilt = 31.2, 0.0

    @classmethod
    def create(cls, *words: object, **more: object) -> FaceDetectorYN:
        return cls()

    def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802, OpenCV's name
        self.size = size

    def detect(self, picture: np.ndarray) -> tuple[int, np.ndarray | None]:
        assert picture.shape[1::-1] == self.size
        half = self.eyes_apart / 2
        points = [(80 - half, 50.4), (80 + half, 50.4), (80, 68), (68, 84), (92, 84)]
        scale = self.size[0] / 160
        row = [60, 30, 40, 60, *(number for point in points for number in point), 0.9]
        return 1, np.array([row], np.float32) * ([scale] * 14 + [1])


@pytest.mark.parametrize("width", [160, 1600])
def test_yunet_faces_are_framed_around_eyes_and_mouth(width: int, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(cv2, "FaceDetectorYN", FaceDetectorYN)
    model = tmp_path / "yunet.onnx"
    model.touch()
    ((box, score),) = YuNetDetector(model).find(np.zeros((width * 3 // 4, width, 3), np.uint8))
    assert score == pytest.approx(0.9)
    scale = width / 160
    assert box.width == box.height == pytest.approx(80 * scale, rel=0.02)
    assert box.centre == pytest.approx((80 * scale, 60 * scale), abs=1.5 * scale)


def test_yunet_faces_that_turn_keep_their_size(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(cv2, "FaceDetectorYN", FaceDetectorYN)
    monkeypatch.setattr(FaceDetectorYN, "eyes_apart", 12.0)
    (tmp_path / "yunet.onnx").touch()
    ((box, _),) = YuNetDetector(tmp_path / "yunet.onnx").find(np.zeros((120, 160, 3), np.uint8))
    assert box.width == pytest.approx(80, rel=0.02)


def write_brightness_yunet(path: Path) -> None:
    """Write a network with YuNet's outputs that takes bright tiles of 32 pixels for faces of 80 pixels."""
    onnx = pytest.importorskip("onnx")
    helper, nodes, given, outputs = onnx.helper, [], [], []
    points = [-15.6, -9.6, 15.6, -9.6, 0, 8, -12, 24, 12, 24]  # from the middle of a face
    for stride in (8, 16, 32):
        nodes.append(
            helper.make_node("AveragePool", ["input"], [f"p{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2)
        )
        nodes.append(helper.make_node("ReduceMean", [f"p{stride}"], [f"m{stride}"], axes=[1], keepdims=1))
        nodes.append(helper.make_node("Reshape", [f"m{stride}", "column"], [f"f{stride}"]))
        nodes.append(helper.make_node("Mul", [f"f{stride}", "share" if stride == 32 else "none"], [f"cls_{stride}"]))
        constants = {"obj": [1.0], "bbox": [0.5, 0.5, np.log(2.5), np.log(2.5)], "kps": [0.5 + p / 32 for p in points]}
        for name, values in constants.items():
            given.append(onnx.numpy_helper.from_array(np.array([[values]], np.float32), f"{name}{stride}"))
            nodes.append(helper.make_node("Mul", [f"f{stride}", "none"], [f"{name}{stride}z"]))
            nodes.append(helper.make_node("Add", [f"{name}{stride}z", f"{name}{stride}"], [f"{name}_{stride}"]))
        outputs += [(f"{name}_{stride}", size) for name, size in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))]
    given.append(onnx.numpy_helper.from_array(np.array([1, -1, 1], np.int64), "column"))
    given.append(onnx.numpy_helper.from_array(np.array([1 / 255], np.float32), "share"))
    given.append(onnx.numpy_helper.from_array(np.array([0], np.float32), "none"))
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("input", kind, [1, 3, 640, 640])],
        [helper.make_tensor_value_info(name, kind, [1, None, size]) for name, size in outputs],
        given,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), path)


@pytest.mark.parametrize("video", [False, True])
def test_opencv_runs_a_network_with_yunets_outputs(video: bool, tmp_path: Path) -> None:
    """The real class of OpenCV with a stand-in for the model, which is not ours to bring: faces are bright tiles."""
    write_brightness_yunet(tmp_path / "yunet.onnx")
    detector = open_detector(tmp_path / "yunet.onnx", video=video)
    factor = 2 if video else 1.5  # 960 pixels wide, searched in 480 or 640
    picture = np.zeros((540, 960, 3), np.uint8)
    places = [(round(32 * factor * x), round(32 * factor * y)) for x, y in ((3, 2), (10, 4))]
    for x, y in places:
        picture[y : y + round(32 * factor), x : x + round(32 * factor)] = 255
    found = detector.find(picture)
    assert len(found) == 2
    for (box, score), (x, y) in zip(found, places, strict=True):
        assert score > 0.7 and box.width == pytest.approx(80 * factor, rel=0.03)
        middle = 16 * factor
        assert box.centre == (pytest.approx(x + middle, abs=4), pytest.approx(y + middle, abs=4))
    assert detector.find(np.zeros((300, 200, 3), np.uint8)) == []


def test_a_file_that_is_no_yunet_model_is_one_line(tmp_path: Path, capfd) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    for file, words in (
        (broken, "cannot use"),
        (tmp_path / "nowhere.onnx", "is not a file"),
        (Path("n" * 300), "is not a file"),
    ):
        with pytest.raises(UsageError, match=words):
            open_detector(file)
    assert capfd.readouterr().err == ""
