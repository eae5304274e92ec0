# SPDX-License-Identifier: MIT OR Apache-2.0
"""The synthetic tiles of the backbone tests; crates/eosin-backbone/tests draws the same bytes."""

import numpy as np


def tile(number, px):
    """px × px × 3 bytes: a texture (even numbers) or a smooth field (odd numbers)."""
    y, x, c = np.meshgrid(np.arange(px), np.arange(px), np.arange(3), indexing="ij")
    if number % 2 == 0:
        values = (x * (3 + number) + y * (5 + 2 * c)) ^ ((x * y * (number + 1)) >> (4 + c))
    else:
        half = px // 2
        values = np.clip(128 + (((x - half) * (y - half) * (c + 1) * number) >> 7), 0, 255)
    return (values & 255).astype(np.uint8)


def batch(n_tiles, px):
    """The first tiles, N × px × px × 3."""
    return np.stack([tile(number, px) for number in range(n_tiles)])
