"""The architectures of cnn3, cnn5, vgg16 and resnet50 for PyTorch, with Keras' initial weights and constants."""

import torch
from torch import nn

BLOCKS = {"cnn3": (32, 64, 128), "cnn5": (64, 128, 256, 512, 512)}
VGG16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
RESNET50 = ((64, 3), (128, 4), (256, 6), (512, 3))


def build(model, classes):
    """Return a network that takes (n, channels, side, side) and gives logits (n, classes)."""
    if model == "vgg16":
        network = nn.Sequential(vgg16_body(), head(512, classes))
    elif model == "resnet50":
        network = nn.Sequential(resnet50_body(), head(2048, classes))
    else:
        network = small(BLOCKS[model], classes, normalised=model == "cnn5")
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


def small(filters, classes, normalised):
    """Return a small network on 48 pixels: a convolution and a pooling a block."""
    layers, before = [], 1
    for count in filters:
        layers.append(nn.Conv2d(before, count, 3, padding=1, bias=not normalised))
        if normalised:
            layers.append(nn.BatchNorm2d(count, eps=1e-3, momentum=0.1))
        layers += [nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Dropout(0.25)]
        before = count
    side = 48 // 2 ** len(filters)
    layers += [nn.Flatten(), nn.Linear(before * side * side, 256), nn.ReLU(inplace=True), nn.Dropout(0.5)]
    return nn.Sequential(*layers, nn.Linear(256, classes))


def head(features, classes):
    """Return pooling, dropout and classifier of a large network."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(features, classes))


def vgg16_body():
    """Return VGG16 without its classifier."""
    layers, before = [], 3
    for filters, repeats in VGG16:
        for _ in range(repeats):
            layers += [nn.Conv2d(before, filters, 3, padding=1), nn.ReLU(inplace=True)]
            before = filters
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def normalised(before, after, kernel, stride=1, padding=0):
    """Return a convolution with bias, as keras.applications has it, and its normalisation."""
    convolution = nn.Conv2d(before, after, kernel, stride, padding)
    return nn.Sequential(convolution, nn.BatchNorm2d(after, eps=1.001e-5, momentum=0.01))


class Bottleneck(nn.Module):
    """A residual block; the stride is in its first convolution, as in the paper and in keras.applications."""

    def __init__(self, before, width, stride, projected):
        super().__init__()
        self.shortcut = normalised(before, 4 * width, 1, stride) if projected else nn.Identity()
        self.first = normalised(before, width, 1, stride)
        self.second = normalised(width, width, 3, padding=1)
        self.third = normalised(width, 4 * width, 1)

    def forward(self, x):
        """Add the block's change to its input."""
        y = torch.relu_(self.first(x))
        y = torch.relu_(self.second(y))
        return torch.relu_(self.third(y) + self.shortcut(x))


def resnet50_body():
    """Return ResNet50 without its classifier."""
    layers = [normalised(3, 64, 7, 2, 3), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    before = 64
    for stage, (width, repeats) in enumerate(RESNET50):
        for block in range(repeats):
            layers.append(Bottleneck(before, width, 2 if stage and not block else 1, projected=not block))
            before = 4 * width
    return nn.Sequential(*layers)
