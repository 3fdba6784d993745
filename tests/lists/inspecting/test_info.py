"""Codes near very many others of a list are reported after an import."""

import numpy as np
import pytest

from screener import HashList
from screener.lists.inspecting.info import MIN_CODES, MIN_SHARE, find_hubs

RADIUS = 31


def made(tmp_path, codes):
    """Return a list of these codes."""
    file = tmp_path / "codes.csv"
    file.write_text("pdq\n" + "".join(f"{code.tobytes().hex()}\n" for code in codes))
    known = HashList.create(tmp_path / "known.list")
    known.import_file(file, ids_from_hashes=True)
    return known.refresh()


def with_family(share, count=3 * MIN_CODES):
    """Return random codes; a share of them differs from one code in at most 15 bits."""
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 256, (count, 32), np.uint8)
    family = int(share * count)
    codes[:family] = codes[0]
    for code in codes[1:family]:
        for bit in rng.choice(256, 15, replace=False):
            code[bit // 8] ^= 1 << bit % 8
    return codes, family


def test_a_family_of_a_tenth_is_made_of_hubs(tmp_path):
    """Exactly the family is reported, and it is still searched."""
    codes, family = with_family(0.1)
    known = made(tmp_path, codes)

    assert known.hubs() == {"pdq": family}
    assert len(known.search("pdq", codes[:1], radius=RADIUS)[1]) == family


@pytest.mark.parametrize("share", [0, MIN_SHARE / 4])
def test_few_near_codes_are_no_hubs(tmp_path, share):
    """Nor are random ones."""
    known = made(tmp_path, with_family(share)[0])

    assert known.hubs() == {}
    assert len(find_hubs(known.snapshot("pdq"), radius=RADIUS)) == 0


def test_a_short_list_has_none(tmp_path):
    """A share of few codes means little."""
    known = made(tmp_path, with_family(0.5, count=MIN_CODES - 1)[0])

    assert known.hubs() == {}
