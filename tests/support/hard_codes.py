"""Codes that an index finds hard: one maker for each kind of list, and queries to go with it.

A maker takes a random generator, the number of codes, their bytes and the radius to aim at, and
returns codes (n, w) and centres (m, w) for queries to lie around. Differences are aimed at that
radius: some lie on it, some a bit to each side.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from drawn_codes import (
    Codes,
    at_distances,
    balanced,
    chain,
    dealt,
    of_weights,
    random_codes,
    shuffled,
    some,
    spread,
    swapped,
    tilted,
)

import screener._core as _core

Made = tuple[Codes, Codes]
Maker = Callable[[np.random.Generator, int, int, int], Made]

LEAST = 20_000  # codes from which there are tables


def family_sizes(rng: np.random.Generator, count: int) -> list[int]:
    """Sizes like those of real families, from one to a thousand, that add up to `count`."""
    sizes: list[int] = []
    while sum(sizes) < count:
        sizes.append(min(int(rng.zipf(1.6)), 1000, count - sum(sizes)))
    return sizes


def uniform(rng: np.random.Generator, count: int, width: int, radius: int) -> Made:
    """Nothing in common."""
    codes = random_codes(rng, count, width)
    return codes, some(rng, codes)


def families(rng: np.random.Generator, count: int, width: int, radius: int) -> Made:
    """Near-duplicates: families from one to a thousand members."""
    sizes = family_sizes(rng, count)
    centres = random_codes(rng, len(sizes), width)
    codes = np.repeat(centres, sizes, axis=0)
    codes = at_distances(rng, codes, rng.integers(0, width, count))
    return shuffled(rng, codes), some(rng, centres)


def repeated(rng: np.random.Generator, count: int, width: int, radius: int) -> Made:
    """Equal codes: one of them half of the list, the others a few times each."""
    distinct = random_codes(rng, count // 5 + 1, width)
    rows = rng.integers(0, len(distinct), count)
    rows[rng.random(count) < 0.5] = 0
    near = at_distances(rng, distinct[:1].repeat(20, axis=0), np.arange(20) % width)
    return distinct[rows], np.concatenate([some(rng, distinct), near])


def near_blank(rng: np.random.Generator, count: int, width: int, radius: int) -> Made:
    """Few bits set, or few clear: most chunks are 0 or all ones, and codes repeat."""
    weights = rng.integers(0, max(2, width // 8), count)
    codes = of_weights(rng, weights, width)
    codes[rng.random(count) < 0.3] ^= 0xFF
    return codes, some(rng, codes)


def all_balanced(rng: np.random.Generator, count: int, width: int, radius: int) -> Made:
    """Exactly half of the bits set, as in the PDQ hash of any photo."""
    codes = balanced(rng, count, width)
    return codes, some(rng, codes)


def balanced_families(rng: np.random.Generator, count: int, width: int, radius: int) -> Made:
    """Families whose members all have half of their bits set: every distance is even."""
    centres = balanced(rng, 60, width)
    sizes = np.bincount(rng.integers(0, 60, count), minlength=60)
    parts = [
        swapped(rng, centre, rng.integers(0, max(1, radius // 2 + 2), size))
        for centre, size in zip(centres, sizes, strict=True)
    ]
    around = [swapped(rng, centre, np.arange(0, radius // 2 + 2)) for centre in centres[:8]]
    return shuffled(rng, *parts), np.concatenate([centres, *around])


def around_balance(rng: np.random.Generator, count: int, width: int, radius: int) -> Made:
    """Half balanced, half a few bits off: neighbours lie in another class of weight."""
    off = rng.integers(-3, 4, count) * (rng.random(count) < 0.5)
    codes = of_weights(rng, width * 4 + off, width)
    return codes, some(rng, codes)


def even_weights(rng: np.random.Generator, count: int, width: int, radius: int) -> Made:
    """An even number of bits set, from none to all."""
    codes = of_weights(rng, 2 * rng.integers(0, width * 4 + 1, count), width)
    return codes, some(rng, codes)


def odd_weights(rng: np.random.Generator, count: int, width: int, radius: int) -> Made:
    """An odd number of bits set."""
    codes = of_weights(rng, 1 + 2 * rng.integers(0, width * 4, count), width)
    return codes, some(rng, codes)


def weights_at_the_edge(rng: np.random.Generator, count: int, width: int, radius: int) -> Made:
    """Balanced codes, and centres off balance by the radius and a bit to each side, nested so
    that the distance equals the difference of weights: the weight alone may reject none."""
    codes = balanced(rng, count, width)
    base = some(rng, codes, 120)
    if not len(base):
        return codes, balanced(rng, 10, width)
    amounts = (radius + rng.integers(-1, 2, len(base))) * rng.choice([-1, 1], len(base))
    return codes, tilted(rng, base, amounts)


def off_balance_by_the_radius(
    rng: np.random.Generator, count: int, width: int, radius: int
) -> Made:
    """The same the other way round: balanced centres, codes off balance by the radius."""
    centres = balanced(rng, 120, width)
    few = min(count, 2000)
    amounts = (radius + rng.integers(-1, 2, few)) * rng.choice([-1, 1], few)
    near = tilted(rng, centres[rng.integers(0, len(centres), few)], amounts)
    return shuffled(rng, near, balanced(rng, count - few, width)), centres


def rest_of(size: int, main: int) -> Maker:
    """Balanced codes, and exactly `size` codes that are not."""

    def make(rng: np.random.Generator, count: int, width: int, radius: int) -> Made:
        off = rng.integers(1, 4, size) * rng.choice([-1, 1], size)
        others = of_weights(rng, width * 4 + off, width)
        halves = balanced(rng, main, width)
        near = swapped(rng, halves[0], np.arange(12)) if main else halves
        centres = np.concatenate([some(rng, others, 150), some(rng, halves, 150), near])
        return shuffled(rng, others, halves), centres

    make.__name__ = f"rest_of_{size}_beside_{main}"
    return make


def tight_chains(rng: np.random.Generator, count: int, width: int, radius: int) -> Made:
    """Around few centres, chains that a single place in the ring can find: each place, tight
    throughout and looser ones, for the radius and for one less; the rest uniform."""
    chunks = width // 2
    centres = random_codes(rng, 4, width)
    near = []
    for aim in (radius, radius - 1):
        shares = spread(chunks, max(aim, 0))
        for start in range(chunks):
            for slack in (0, 0, 1, 3, 8):
                centre = centres[len(near) % len(centres)]
                near.append(dealt(rng, centre, chain(rng, shares, start, slack)))
    return shuffled(rng, np.array(near), random_codes(rng, count, width)), centres


def level_but_one(rng: np.random.Generator, count: int, width: int, radius: int) -> Made:
    """All chunks at the same distance but one, which is one less or nothing, at every place;
    and runs of less before runs of more."""
    chunks = width // 2
    centres = random_codes(rng, 2, width)
    near = []
    for start in range(chunks):
        for high in (1, 2, 3, 4):
            run = [high - 1] * (chunks // 2) + [high + 1] * (chunks // 2)
            for amounts in ([high - 1] + [high] * (chunks - 1), [0] + [high] * (chunks - 1), run):
                centre = centres[len(near) % 2]
                near.append(dealt(rng, centre, np.roll(amounts, start)))
    return shuffled(rng, np.array(near), random_codes(rng, count, width)), centres


def hot_buckets(rng: np.random.Generator, count: int, width: int, radius: int) -> Made:
    """Most codes share some of their chunks: one, neighbours, or all but two."""
    codes = random_codes(rng, count, width)
    places = np.array(_core.chunk_bits(width)).reshape(-1, 16)
    first = int(rng.integers(0, len(places)))
    kept = int(rng.choice([1, 2, len(places) - 2]))
    shared = np.roll(places, -first, axis=0)[:kept].reshape(-1)
    bits = np.unpackbits(codes, axis=1, bitorder="little")
    hot = np.flatnonzero(rng.random(count) < 0.7)
    if len(hot):
        bits[np.ix_(hot, shared)] = bits[hot[0], shared]
    codes = np.packbits(bits, axis=1, bitorder="little")
    return codes, some(rng, codes)


def few_values(rng: np.random.Generator, count: int, width: int, radius: int) -> Made:
    """Each chunk is one of a few values, a bit or two apart: codes that agree in any two
    neighbours and in nothing else abound."""
    chunks = width // 2
    values = rng.integers(0, 1 << 16, (chunks, 6), np.uint16)
    values[:, 3:] = values[:, :3] ^ (np.uint16(1) << rng.integers(0, 16, (chunks, 3), np.uint16))
    picked = rng.integers(0, 6, (count, chunks))
    fields = values[np.arange(chunks), picked].astype("<u2")
    bits = np.unpackbits(
        fields.view(np.uint8).reshape(count, 2 * chunks), axis=1, bitorder="little"
    )
    placed = np.empty_like(bits)
    placed[:, np.array(_core.chunk_bits(width))] = bits
    codes = np.packbits(placed, axis=1, bitorder="little")
    return codes, some(rng, codes)


def just_outside(rng: np.random.Generator, count: int, width: int, radius: int) -> Made:
    """Clusters whose members lie on the radius or a few bits beyond it."""
    centres = random_codes(rng, 5, width)
    distances = np.minimum(radius + rng.integers(0, 8, count), width * 8)
    codes = at_distances(rng, centres[rng.integers(0, 5, count)], distances)
    return codes, centres


def one_code(rng: np.random.Generator, count: int, width: int, radius: int) -> Made:
    """The same code throughout."""
    code = random_codes(rng, 1, width)
    return code.repeat(count, axis=0), code


def aimed(rng: np.random.Generator, centres: Codes, count: int, width: int, radius: int) -> Codes:
    """Queries around the centres: on them, at the radius and a bit to each side, nearer and
    farther, in clusters; and unrelated ones, balanced, sparse and uniform."""
    sparse = of_weights(rng, rng.integers(0, 5, count), width)
    pools = [random_codes(rng, count, width), balanced(rng, count, width), sparse]
    if len(centres):
        base = centres[rng.integers(0, len(centres), count)]
        near = np.clip(radius + rng.integers(-2, 3, count), 0, width * 8)
        cluster = np.tile(centres[:1], (count, 1))
        pools += [
            base,
            at_distances(rng, base, near),
            at_distances(rng, base, near),
            at_distances(rng, base, rng.integers(0, min(2 * radius + 2, width * 8), count)),
            at_distances(rng, cluster, rng.integers(0, 4, count)),
        ]
    picked = np.stack(pools)[rng.integers(0, len(pools), count), np.arange(count)]
    lone = min(len(centres), count // 3)  # the centres themselves always take part
    picked[:lone] = centres[:lone]
    return rng.permutation(picked)


MAKERS: tuple[Maker, ...] = (
    uniform,
    families,
    repeated,
    near_blank,
    all_balanced,
    balanced_families,
    around_balance,
    even_weights,
    odd_weights,
    weights_at_the_edge,
    off_balance_by_the_radius,
    rest_of(0, LEAST + 1),
    rest_of(1, LEAST),
    rest_of(LEAST - 1, LEAST + 500),
    rest_of(LEAST, LEAST - 1),
    rest_of(LEAST + 1, LEAST + 1),
    tight_chains,
    level_but_one,
    hot_buckets,
    few_values,
    just_outside,
    one_code,
)
