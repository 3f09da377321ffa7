"""Faces are found where they are, framed as FER-2013 frames them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
from study.faces.faces import Box, HaarDetector, YuNetDetector, distinct, open_detector, square

from study.core.errors import UsageError
from tests.faces.people import background, drawn_faces, put_face

PLACES = [((150.0, 200.0), 100.0), ((400.0, 250.0), 160.0), ((760.0, 300.0), 240.0)]


def crowd(width: int = 1280, height: int = 720, grow: float = 1.0) -> np.ndarray:
    picture = background(width, height).copy()
    for face, ((x, y), side) in enumerate(PLACES):
        put_face(picture, face, (x * grow, y * grow), side * grow)
    return picture


def test_every_face_is_found_from_left_to_right_in_the_framing_of_the_training_images() -> None:
    """The drawn faces fill their images about as FER-2013's do, so the boxes must be about those images."""
    found = HaarDetector().find(crowd())
    assert len(found) == len(PLACES)
    for box, ((x, y), side) in zip(found, PLACES, strict=True):
        assert box.width == box.height == pytest.approx(side, rel=0.3)
        assert box.centre == pytest.approx((x, y), abs=0.06 * side)


def test_the_search_of_a_video_finds_the_same_faces() -> None:
    found = open_detector(video=True).find(crowd())
    assert [box.centre for box in found] == [pytest.approx(place, abs=0.1 * side) for place, side in PLACES]


def test_boxes_are_pixels_of_the_picture_and_not_of_the_reduced_one() -> None:
    found = HaarDetector().find(crowd(3200, 1800, grow=2.5))
    assert [box.centre for box in found] == [
        pytest.approx((x * 2.5, y * 2.5), abs=0.1 * side * 2.5) for (x, y), side in PLACES
    ]


def test_faces_that_fill_their_pictures_are_found_too() -> None:
    """Without a border around it, one in six or seven is missed."""
    for face in drawn_faces():
        large = cv2.resize(face, (200, 200), interpolation=cv2.INTER_CUBIC)
        (box,) = HaarDetector().find(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR))
        assert box.width == pytest.approx(200, rel=0.25)


def photograph(package: str, *place: str) -> np.ndarray:
    """Return a photograph that an installed package brings."""
    return cv2.imread(str(Path(importlib.util.find_spec(package).origin).parent.joinpath(*place)))


@pytest.mark.parametrize("video", [False, True])
def test_real_photographs_have_the_faces_that_they_have(video: bool) -> None:
    """Admiral Hopper before a flag and a computer, a temple, and a flower that looks a little like a face."""
    detector = open_detector(video=video)
    (box,) = detector.find(photograph("matplotlib", "mpl-data", "sample_data", "grace_hopper.jpg"))
    assert box.centre == pytest.approx((265, 217), abs=20) and box.width == pytest.approx(225, rel=0.15)
    for name in ("china.jpg", "flower.jpg"):
        assert detector.find(photograph("sklearn", "datasets", "images", name)) == []


def test_a_known_face_is_found_again_when_it_has_moved_and_grown_a_little() -> None:
    picture, detector = crowd(), open_detector(video=True)
    for dx, dy, factor in ((0, 0, 1.0), (25, -20, 0.9), (-30, 10, 1.15)):
        known = [square(x + dx * side / 160, y + dy * side / 160, side * factor) for (x, y), side in PLACES]
        found = detector.find_near(picture, known)
        assert [box.centre for box in found] == [pytest.approx(place, abs=0.1 * side) for place, side in PLACES]


def test_nothing_is_found_again_where_nobody_is_or_outside() -> None:
    known = [Box(900, 500, 120, 120), Box(-300, -300, 150, 150), Box(1250, 700, 200, 200), Box(1270, 10, 4, 4)]
    assert open_detector(video=True).find_near(crowd(), known) == []


@pytest.mark.parametrize("shape", [(720, 1280), (40, 2000), (1, 1), (2000, 3)])
def test_nothing_is_found_where_nobody_is(shape: tuple[int, int]) -> None:
    height, width = shape
    for detector in (open_detector(), open_detector(video=True)):
        assert detector.find(background(width, height, seed=1)) == []


def test_a_box_within_a_larger_face_is_no_face() -> None:
    face, mouth, other = Box(100, 100, 200, 200), Box(170, 220, 60, 60), Box(10, 100, 100, 100)
    assert distinct([mouth, face, other]) == [other, face]


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
        return 1, np.array([row], np.float32) * scale


@pytest.mark.parametrize("width", [160, 1600])
def test_yunet_faces_are_framed_around_eyes_and_mouth(width: int, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(cv2, "FaceDetectorYN", FaceDetectorYN)
    model = tmp_path / "yunet.onnx"
    model.touch()
    (box,) = YuNetDetector(model).find(np.zeros((width * 3 // 4, width, 3), np.uint8))
    scale = width / 160
    assert box.width == box.height == pytest.approx(80 * scale, rel=0.02)
    assert box.centre == pytest.approx((80 * scale, 60 * scale), abs=1.5 * scale)


def test_yunet_faces_that_turn_keep_their_size(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(cv2, "FaceDetectorYN", FaceDetectorYN)
    monkeypatch.setattr(FaceDetectorYN, "eyes_apart", 12.0)
    (tmp_path / "yunet.onnx").touch()
    (box,) = YuNetDetector(tmp_path / "yunet.onnx").find(np.zeros((120, 160, 3), np.uint8))
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
    for box, (x, y) in zip(found, places, strict=True):
        assert box.width == pytest.approx(80 * factor, rel=0.03)
        middle = 16 * factor
        assert box.centre == (pytest.approx(x + middle, abs=4), pytest.approx(y + middle, abs=4))
    assert detector.find_near(picture, found[:1]) == found
    assert detector.find(np.zeros((300, 200, 3), np.uint8)) == []


def test_a_file_that_is_no_yunet_model_is_one_line(tmp_path: Path, capfd) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    for file, words in ((broken, "cannot use"), (tmp_path / "nowhere.onnx", "is no file")):
        with pytest.raises(UsageError, match=words):
            open_detector(file)
    assert capfd.readouterr().err == ""
