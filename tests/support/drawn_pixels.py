"""Pixels drawn for tests of hashes: of many shapes, and turned."""

import numpy as np


def smooth(rng, shape):
    """A grey picture of waves of any direction, like a photo in its spectrum."""
    spectrum = rng.normal(size=(12, 12)) / (1 + np.add.outer(np.arange(12), np.arange(12)))
    down, across = (np.cos(np.pi * np.outer(np.arange(n) + 0.5, np.arange(12)) / n) for n in shape)
    waves = down @ spectrum @ across.T
    return np.clip(128 + 40 * waves / waves.std(), 0, 255).astype(np.uint8)


def draw(rng):
    """Waves, noise, a rectangle or one colour, in grey or colour, of any size."""
    shape = tuple(int(side) for side in rng.integers(1, 400, 2))
    kind = rng.integers(4)
    grey = smooth(rng, shape)
    if kind == 1:
        grey = rng.integers(0, 256, shape, np.uint8)
    elif kind == 2:
        grey = np.full(shape, rng.integers(256), np.uint8)
    elif kind == 3:
        grey[: shape[0] // 2, shape[1] // 3 :] = rng.integers(256)
    if rng.integers(2):
        return grey
    return np.stack([grey, grey[::-1], grey // 2], axis=2)


def turned(pixels):
    """The picture in each orientation, in the order of `pdq.ORIENTATIONS`."""
    return [
        pixels,
        *(np.rot90(pixels, turns) for turns in (1, 2, 3)),
        pixels[::-1],
        pixels[:, ::-1],
        pixels.swapaxes(0, 1),
        np.rot90(pixels, 2).swapaxes(0, 1),
    ]
