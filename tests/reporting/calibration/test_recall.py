"""What the evidence for radii rests on: bounds of a share, everyday edits, the page of figures."""

import json
import re

import numpy as np
import pytest
from paths import REPOSITORY
from scipy.special import betaincinv
from scipy.stats import binom

from screener.hashing import pdq
from screener.hashing.hash import KINDS
from screener.reporting.calibration.calibration_page import format_per_million
from screener.reporting.calibration.count import Count, compute_bounds
from screener.reporting.calibration.edits import EDITS

PERCEPTUAL = {kind.name: kind for kind in KINDS.values() if kind.perceptual}


@pytest.mark.parametrize(("hits", "cases"), [(0, 300), (1, 300), (7, 20), (20, 20), (299, 300)])
def test_bounds_are_those_of_clopper_and_pearson(hits, cases):
    """At each bound what was seen, or less likely still, has 2.5 %: 5 % where there is but one."""
    low, high = compute_bounds(hits, cases)
    assert 0 <= low <= hits / cases <= high <= 1
    doubt = 0.05 if hits in (0, cases) else 0.025
    if hits:
        assert 1 - binom.cdf(hits - 1, cases, low) == pytest.approx(doubt)
    else:
        assert low == 0
        assert high == pytest.approx(3 / cases, rel=0.01)  # the rule of three
    if hits < cases:
        assert binom.cdf(hits, cases, high) == pytest.approx(doubt)
    else:
        assert high == 1


@pytest.mark.parametrize("cases", [1, 2, 3, 40, 999, 10**4, 10**6, 10**7])
def test_bounds_are_those_of_scipy(cases):
    """SciPy inverts the same function, at both ends, in the middle, and for very many cases."""
    for hits in sorted({0, 1, 2, cases // 1000, cases // 3, cases // 2, cases - 1, cases}):
        if 0 <= hits <= cases:
            low, high = compute_bounds(hits, cases)
            doubt = 0.05 if hits in (0, cases) else 0.025
            if hits:
                exact = betaincinv(hits, cases - hits + 1, doubt)
                assert low == pytest.approx(exact, rel=max(1e-11, 1e-14 * cases))
            if hits < cases:
                exact = betaincinv(hits + 1, cases - hits, 1 - doubt)
                assert high == pytest.approx(exact, rel=max(1e-11, 1e-14 * cases))


def test_nothing_seen_is_no_certainty():
    """Without a case nothing is known; impossible counts are refused."""
    assert compute_bounds(0, 0) == (0, 1)
    with pytest.raises(ValueError, match="3 hits of 2 cases"):
        compute_bounds(3, 2)


def test_every_edit_gives_a_picture_of_the_scene(scene):
    """Edits keep a picture in RGB and, but for their own purpose, near enough to be found."""
    picture = scene(1)
    own = pdq.compute(np.asarray(picture))
    for name, edit in EDITS.items():
        edited = edit(picture)
        assert edited.mode == "RGB", name
        turned = pdq.compute_orientations(np.ascontiguousarray(edited))
        assert min(own.distance(one) for one in turned) < 60, name


def test_the_page_and_its_receipt_are_of_the_default_radii():
    """Every kind is in docs/radius.md with its default, and the receipt was made at it; at the
    default no pair matched. Its bounds are rounded outwards, as those of a calibration are.
    """
    page = (REPOSITORY / "docs/radius.md").read_text(encoding="utf-8")
    rows = json.loads((REPOSITORY / "benchmarks/receipts/radius.json").read_text())["rows"]
    assert {row["kind"]: row["radius"] for row in rows} == {
        name: kind.radius for name, kind in PERCEPTUAL.items()
    }
    for row in rows:
        hits = row["within"][row["radius"]]
        assert hits == 0
        assert f"| `{row['kind']}` | **{row['radius']}** | {hits} of {row['pairs']:,} |" in page
        for radius, hits in enumerate(row["within"]):
            line = f"| `{row['kind']}` | {radius} | {hits} of {row['pairs']:,} | "
            assert (
                line not in page
                or line + format_per_million(Count.from_hits(hits, row["pairs"])) in page
            )
    stated = page.split("## What was counted")[0]
    for names, radius, bits in re.findall(r"^\| (`.*?`) \| (\d+) of (\d+) \|", stated, re.M):
        for name in re.findall("`(.*?)`", names):
            assert (PERCEPTUAL[name].radius, PERCEPTUAL[name].bits) == (int(radius), int(bits))
