# SPDX-License-Identifier: GPL-3.0-or-later
"""Training images moved, turned and bent, each anew in every epoch.

Each image is read at points p' = A p + b + d(p): A turns, scales and shears about the image's middle, b shifts, and d
is a smooth random field, normal at points SPACING pixels apart and bicubic between them (P. Simard et al., "Best
practices for convolutional neural networks applied to visual document analysis", ICDAR 2003: elastic distortions). What
is read outside the image is 0. Validation and test images are never distorted.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch.nn import functional

SPACING = 5.0  # pixels


@dataclass(frozen=True)
class Distortion:
    """How far images are distorted: draws are uniform within +- these, but for the elastic field.

    Attributes
    ----------
    rotation: degrees.
    scale, aspect, shear: relative; ``aspect`` is of the height alone.
    shift: pixels, down and across.
    elastic: standard deviation of the field, pixels.
    flip: whether half of the images are mirrored.
    """

    rotation: float = 0.0
    scale: float = 0.0
    aspect: float = 0.0
    shear: float = 0.0
    shift: float = 0.0
    elastic: float = 0.0
    flip: bool = False

    def __call__(self, images: np.ndarray, shape: tuple[int, int], seed: tuple[int, ...]) -> np.ndarray:
        """Images (n, pixels) of ``shape`` in [0, 1], float32, distorted as the seed says."""
        height, width = shape
        generator = np.random.default_rng(seed)
        picture = torch.from_numpy(np.ascontiguousarray(images, np.float32)).view(-1, 1, height, width)
        points = functional.affine_grid(self._affine(len(images), shape, generator), picture.shape, align_corners=False)
        if self.elastic:
            points += self._field(len(images), shape, generator)
        moved = functional.grid_sample(picture, points, align_corners=False)
        return moved.clamp_(0.0, 1.0).view(len(images), -1).numpy()

    def _affine(self, images: int, shape: tuple[int, int], generator: np.random.Generator) -> torch.Tensor:
        """(images, 2, 3), in units of half the image's width and height."""

        def drawn(most: float) -> np.ndarray:
            return generator.uniform(-most, most, images)

        angle, across, shear = drawn(math.radians(self.rotation)), 1 + drawn(self.scale), drawn(self.shear)
        down = across * (1 + drawn(self.aspect))
        right, low = drawn(self.shift) * 2 / shape[1], drawn(self.shift) * 2 / shape[0]
        mirrored = np.where(generator.random(images) < 0.5, -1.0, 1.0) if self.flip else 1.0
        longer = shape[0] / shape[1]  # a unit down, in units across
        rows = [
            [mirrored * across * np.cos(angle), longer * (shear - across * np.sin(angle)), right],
            [mirrored * down * np.sin(angle) / longer, down * np.cos(angle), low],
        ]
        return torch.from_numpy(np.array(rows, np.float32).transpose(2, 0, 1).copy())

    def _field(self, images: int, shape: tuple[int, int], generator: np.random.Generator) -> torch.Tensor:
        """(images, height, width, 2), in the same units."""
        knots = [round(size / SPACING) + 1 for size in shape]
        field = generator.standard_normal((images, 2, *knots), np.float32) * np.float32(self.elastic)
        field *= np.array([2 / shape[1], 2 / shape[0]], np.float32)[:, None, None]
        down, across = (_bicubic(size, count) for size, count in zip(shape, knots, strict=True))
        return (down @ torch.from_numpy(field) @ across.T).permute(0, 2, 3, 1)


@cache
def _bicubic(size: int, knots: int) -> torch.Tensor:
    """Values at ``size`` points from those at ``knots``, as a matrix (size, knots)."""
    one = torch.eye(knots)[None, None]
    return functional.interpolate(one, size=(size, knots), mode="bicubic", align_corners=True)[0, 0]
