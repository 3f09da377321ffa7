"""FER+ labels are taken where the rows are surely the same, and refused in one line everywhere else."""

import numpy as np
import pytest

from study.core.errors import DataError
from study.datasets.readers import fer2013
from study.datasets.readers.ferplus import VOTES, read_ferplus

#: FER+ column of each of FER-2013's classes.
COLUMN = {"angry": 4, "disgust": 5, "fear": 6, "happy": 1, "sad": 3, "surprise": 2, "neutral": 0}
N = 300


@pytest.fixture
def rows():
    """Labels, splits and votes of a made set in the csv's order: two thirds of FER+'s labels are the set's own."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 7, N)
    splits = np.repeat([0, 1, 2], [200, 50, 50]).astype(np.uint8)
    votes = np.zeros((N, len(VOTES)), int)
    for row, label in enumerate(labels):
        other = random.integers(0, len(VOTES))
        column = COLUMN[fer2013.CLASSES[label]] if row % 3 else other
        votes[row, column] += 7
        votes[row, random.integers(0, len(VOTES))] += 3
    return labels, splits, votes


def write(path, splits, votes, columns=VOTES):
    lines = ["Usage,Image name," + ",".join(columns)]
    for row, (split, numbers) in enumerate(zip(splits, votes, strict=True)):
        lines.append(f"{fer2013.USAGES[split]},fer{row:07d}.png," + ",".join(map(str, numbers)))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_class_with_the_most_votes_is_taken(rows, tmp_path):
    labels, splits, votes = rows
    votes[0] = [5, 5, 0, 0, 0, 0, 0, 0, 0, 0]  # a tie
    votes[1] = [0, 0, 0, 0, 0, 0, 0, 10, 0, 0]  # contempt
    votes[2] = [0, 0, 0, 0, 2, 0, 8, 0, 0, 0]  # fear
    found = read_ferplus(write(tmp_path / "f.csv", splits, votes), labels, splits, fer2013.CLASSES)
    assert found.dtype == np.int64 and found.shape == (N,)
    assert found[:3].tolist() == [-1, -1, fer2013.CLASSES.index("fear")]
    clear = [row for row in range(3, N) if row % 3 and votes[row].max() >= 7]
    assert np.array_equal(found[clear], labels[clear])


def test_label_order_is_that_of_the_set(rows, tmp_path):
    labels, splits, votes = rows
    classes = tuple(sorted(fer2013.CLASSES))
    own = np.array([classes.index(fer2013.CLASSES[label]) for label in labels])
    path = write(tmp_path / "f.csv", splits, votes)
    one = read_ferplus(path, labels, splits, fer2013.CLASSES)
    other = read_ferplus(path, own, splits, classes)
    assert [fer2013.CLASSES[code] for code in one if code >= 0] == [classes[code] for code in other if code >= 0]


def test_rows_in_another_order_are_refused(rows, tmp_path):
    """A folder copy has the same splits one after the other, but its images are sorted by class."""
    labels, splits, votes = rows
    path = write(tmp_path / "f.csv", splits, votes)
    by_class = np.concatenate([np.sort(labels[splits == code]) for code in range(3)])
    with pytest.raises(DataError, match="found .*%: the images are not in the row order"):
        read_ferplus(path, by_class, splits, fer2013.CLASSES)


def test_another_sequence_of_usage_is_refused(rows, tmp_path):
    labels, splits, votes = rows
    path = write(tmp_path / "f.csv", splits, votes)
    for other in (splits[::-1], splits[:-1]):
        with pytest.raises(DataError, match="sequence of Usage"):
            read_ferplus(path, labels[: len(other)], other, fer2013.CLASSES)


def test_other_classes_and_other_files_are_refused(rows, tmp_path):
    labels, splits, votes = rows
    path = write(tmp_path / "f.csv", splits, votes)
    with pytest.raises(DataError, match="Leave out --ferplus"):
        read_ferplus(path, labels, splits, ("cat", "dog"))
    with pytest.raises(DataError, match="missing neutral"):
        read_ferplus(write(tmp_path / "g.csv", splits, votes, ("n", *VOTES[1:])), labels, splits, fer2013.CLASSES)
    path.write_text(path.read_text().replace("7", "seven", 1))
    with pytest.raises(DataError, match="row 1: expected whole numbers"):
        read_ferplus(path, labels, splits, fer2013.CLASSES)
    with pytest.raises(DataError, match="not readable"):
        read_ferplus(tmp_path / "none.csv", labels, splits, fer2013.CLASSES)
