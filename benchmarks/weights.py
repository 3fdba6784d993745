"""Weighted queries as pictures make them: how sure each bit of a photo's PDQ is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from codes import Codes
from pictures import photos
from PIL import Image

from screener.hashing import evidence, pdq, views
from screener.media.image import pixels

NOISE = 0.6  # of a coefficient, in mean coefficients
CLIP = 0.003  # the least probability
UNITS = 16  # weights are sixteenths of a bit
THRESHOLD = 80  # bits of evidence

Weights = npt.NDArray[np.uint8]


def coefficients(picture: Image.Image) -> npt.NDArray[np.float64]:
    """Return about the 256 coefficients of a picture's PDQ, from means of its areas."""
    place = np.outer(np.arange(1, 17), 2 * np.arange(64) + 1)
    matrix = np.sqrt(2 / 64) * np.cos(np.pi / 128 * place)
    luma = np.asarray(picture.convert("L").resize((64, 64), Image.Resampling.BOX), np.float64)
    return np.asarray(matrix @ luma @ matrix.T).reshape(-1)


def weighed(picture: Image.Image) -> tuple[Weights, int]:
    """Return the weight of each bit, in the order of `np.unpackbits`, and the budget."""
    values = coefficients(picture)
    apart = (values - np.sort(values)[127]) / (NOISE * np.abs(values).mean())
    ones = np.array([0.5 * (1 + math.erf(x / math.sqrt(2))) for x in apart]).clip(CLIP, 1 - CLIP)
    weights = np.abs(np.log2(ones / (1 - ones)))
    most = np.log2(2 * np.maximum(ones, 1 - ones)).sum()
    return np.rint(UNITS * weights).astype(np.uint8)[::-1], math.floor(UNITS * (most - THRESHOLD))


def photo_weights(count: int, *, most: int = 300) -> tuple[Weights, npt.NDArray[np.int64]]:
    """Return weights and budgets of so many queries, those of some photos in turn."""
    some = [weighed(picture) for picture in photos(most=most)]
    which = np.arange(count) % len(some)
    weights, budgets = zip(*some, strict=True)
    return np.stack(weights)[which], np.array(budgets, np.int64)[which]


def photo_views(count: int) -> list[tuple[Codes, Weights, npt.NDArray[np.int64]]]:
    """Return the queries of all views of so many photos, as a scan makes them of each."""
    found = []
    for picture in photos(most=count):
        look = evidence.look(pixels.to_upright(picture).white, most=pdq.MOST_DOUBT)
        queries = views.weigh(look.samples)
        found.append((queries.codes, queries.weights, queries.budgets(THRESHOLD).astype(np.int64)))
    return found


def weighted_pairs(codes: Codes, queries: Codes, weights: Weights, budgets: Any) -> Any:
    """Return (query, row, distance) of brute force over integers."""
    bits = np.unpackbits(codes, axis=1)
    found = []
    for number, (query, costs, budget) in enumerate(zip(queries, weights, budgets, strict=True)):
        distances = (bits ^ np.unpackbits(query)) @ costs.astype(np.int32)
        rows = np.flatnonzero(distances <= budget)
        found.append(np.stack([np.full(len(rows), number), rows, distances[rows]], axis=1))
    return np.concatenate(found)
