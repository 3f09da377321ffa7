"""A loop for PyTorch tuned by hand: channels_last, fused Adam, tensors in memory, batched augmentation, autocast.

On a GPU an update is made as usual (`eager`), replayed from a CUDA graph (`graph`), or compiled and replayed
(`compiled`), as the environment variable `TORCH_WAY` says.
"""

import math
import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from torch.nn import functional

from study.bench.task import PREDICT_BATCH, Turn

sys.path.insert(0, str(Path(__file__).parent))
from torch_networks import build  # noqa: E402 (a file beside this one)

LARGE = ("vgg16", "resnet50")
CAFFE_MEANS_BGR = (103.939, 116.779, 123.68)


class Loop:
    """The network with its tensors; see `study.bench.task`."""

    macs = 0

    def __init__(self, task, images, labels):
        torch.manual_seed(0)
        torch.set_num_threads(task.threads)
        torch.set_flush_denormal(True)
        self.task = task
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.way = os.environ.get("TORCH_WAY", "eager") if self.device.type == "cuda" else "eager"
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().to(self.device)
        self.labels = torch.from_numpy(labels).to(self.device)
        self.means = torch.tensor(CAFFE_MEANS_BGR, device=self.device).view(1, 3, 1, 1)
        self.network = build(task.model, task.classes).to(self.device, memory_format=torch.channels_last)
        self.forward = torch.compile(self.network) if self.way == "compiled" else self.network
        captured = {"capturable": True} if self.way != "eager" else {}
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3, eps=1e-7, fused=True, **captured)
        self.replays = {}
        self.parameters = sum(weight.numel() for weight in self.network.parameters())
        # Keras counts moving statistics as weights.
        self.parameters += sum(state.numel() for name, state in self.network.named_buffers() if "running" in name)
        self.precision = (
            (lambda: torch.autocast(self.device.type, torch.bfloat16))
            if task.precision == "mixed_bfloat16"
            else nullcontext
        )
        self.order = iter(())

    def rows(self):
        """Return the next batch of shuffled passes over the images."""
        batch = next(self.order, None)
        if batch is None or len(batch) < self.task.batch:
            self.order = iter(torch.randperm(len(self.images), device=self.device).split(self.task.batch))
            batch = next(self.order)
        return batch

    def prepare(self, pixels):
        """Return what the network takes of float pixels (n, 1, 48, 48) in 0..255."""
        if self.task.model not in LARGE:
            return (pixels / 255).contiguous(memory_format=torch.channels_last)
        if self.task.side_px != 48:
            size = (self.task.side_px, self.task.side_px)
            pixels = functional.interpolate(pixels, size, mode="bilinear", align_corners=False)
        return (pixels - self.means).contiguous(memory_format=torch.channels_last)

    def train(self, updates):
        """Train on images as they are."""
        return self.fit(updates, unchanged)

    def train_augmented(self, updates):
        """Train on images changed as the protocol `augment` changes them."""
        return self.fit(updates, augment)

    def fit(self, updates, change):
        """Make updates; the loss is read once, at the end."""
        self.network.train()
        start = time.perf_counter()
        total = torch.zeros((), device=self.device)
        for _ in range(updates):
            total += self.replay(change) if self.way != "eager" else self.update(self.rows(), change)
        loss = total.item() / updates
        return Turn(updates * self.task.batch, time.perf_counter() - start, loss)

    def update(self, rows, change):
        """Make one update and return its loss."""
        images = self.prepare(change(self.images[rows].float()))
        with self.precision():
            loss = functional.cross_entropy(self.forward(images).float(), self.labels[rows])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def replay(self, change):
        """Make one update by a CUDA graph, which is recorded once; return its loss."""
        if change not in self.replays:
            rows, side = self.rows().clone(), torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):  # what is made once, such as the optimizer's state, is not recorded
                for _ in range(3):
                    self.update(rows, change)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                loss = self.update(rows, change)
            self.replays[change] = graph, rows, loss
        graph, rows, loss = self.replays[change]
        rows.copy_(self.rows())
        graph.replay()
        return loss

    @torch.inference_mode()
    def predict(self, batches):
        """Predict probabilities."""
        self.network.eval()
        start = time.perf_counter()
        for number in range(batches):
            first = number * PREDICT_BATCH % max(1, len(self.images) - PREDICT_BATCH)
            with self.precision():
                logits = self.network(self.prepare(self.images[first : first + PREDICT_BATCH].float()))
            logits.float().softmax(1).cpu().numpy()
        return Turn(batches * PREDICT_BATCH, time.perf_counter() - start)


def unchanged(pixels):
    """Return the pixels as they are."""
    return pixels


def augment(pixels):
    """Flip, rotation to 10 degrees, shift and zoom to 10 % as one warp, and cutout of a quarter side in one of two."""
    count, _, side, _ = pixels.shape
    where = {"device": pixels.device}
    numbers = torch.empty(5, count, **where).uniform_(-1, 1)
    angle, scale = numbers[0] * math.radians(10), 1 / (1 + numbers[1] * 0.1)
    mirror = numbers[2].sign()
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    rows = torch.stack(
        [cosine * mirror, -sine, numbers[3] * 0.2, sine * mirror, cosine, numbers[4] * 0.2], dim=1
    )  # shifts are in half sides here
    grid = functional.affine_grid(rows.view(count, 2, 3), list(pixels.shape), align_corners=False)
    pixels = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    hole = side // 4
    middle = torch.randint(0, side, (2, count, 1), **where) - hole // 2
    place = torch.arange(side, **where)
    inside = (place >= middle) & (place < middle + hole)
    inside &= torch.rand(count, 1, **where) < 0.5
    pixels.masked_fill_((inside[0].unsqueeze(2) & inside[1].unsqueeze(1)).unsqueeze(1), 127.5)
    return pixels.round_()


def make(task, images, labels):
    """Return the contestant."""
    return Loop(task, images, labels)
