"""Pictures of dataset images stay local and belong to the study's own data."""

import numpy as np
import pytest

from study.core.errors import DataError
from study.core.store import Store
from study.datasets.image_set import make_image_set
from study.report.local import write_local_pictures
from tests.factories import CLASSES, make_record


def make_images(shift=0):
    rng = np.random.default_rng(shift)
    labels = np.tile(np.arange(7), 9).astype(np.int64)
    splits = np.repeat([0, 1, 2], 21).astype(np.uint8)
    images = rng.integers(0, 256, (63, 48, 48, 1), dtype=np.uint8)
    ids = np.array([f"image-{place}" for place in range(63)])
    return make_image_set("fake", images, labels, CLASSES, ids, splits, "made for a test")


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "results", "small")
    store.keep(make_record("cnn3", card=make_images().card()))
    return store


def test_samples_and_mistakes_go_to_local(store, tmp_path):
    paths = write_local_pictures(store, make_images(), tmp_path / "reports")
    assert [path.name for path in paths] == ["samples.png", "mistakes-cnn3.png"]
    assert all(path.parent == tmp_path / "reports" / "small" / "local" for path in paths)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_other_images_are_refused(store, tmp_path):
    with pytest.raises(DataError, match="fingerprint"):
        write_local_pictures(store, make_images(shift=1), tmp_path / "reports")
    assert not (tmp_path / "reports").exists()
