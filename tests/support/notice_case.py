"""An example hotline, partner and case for the tests of notices and pages."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from screener import Hash
from screener.hotline.model.case import Case, Event, ItemHash
from screener.hotline.partners import Hotline, Partner
from screener.lists.terms import Terms

RECEIVED = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
WRITTEN = RECEIVED + timedelta(hours=2)
HOTLINE = Hotline(
    "خط الإبلاغ – Hotline", "duty@hotline.example", ZoneInfo("Africa/Casablanca"),
    "article 447-2", Terms(tlp="AMBER"),
)  # fmt: skip
PDQ, MD5, SHA1 = "0123456789abcdef" * 4, "ab" * 16, "cd" * 20
ITEM_HASHES = (
    ItemHash(Hash.parse("pdq", PDQ), "a list", Terms(tlp="AMBER")),
    ItemHash(Hash.parse("md5", MD5), "a list", Terms(tlp="GREEN")),
)


def partner(folder, **fields):
    """Return a partner with a folder."""
    values = {"languages": ("ar", "fr", "en"), "kinds": ("pdq", "md5")} | fields
    return Partner("meta", "Meta", folder, **values)


def case(**fields):
    """Return a case assessed as illegal, with one address and a reporter's hash."""
    values = {
        "state": "assessed",
        "outcome": "illegal",
        "addresses_seen": True,
        "addresses": ("https://video.example/watch?v=1&list=a",),
        "hashes": (Hash.parse("sha1", SHA1),),
        "events": (Event("assessed", RECEIVED, "ann", "seen"),),
    } | fields
    return Case(
        "C-2026-7KQ4M", values.pop("state"), RECEIVED, ("r1",),
        languages=("ar",), countries=("MA",), **values,
    )  # fmt: skip
