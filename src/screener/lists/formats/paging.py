"""Detect answers of services that are not the last page of a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NEXT_PAGE_NOTE = "another page follows; import it too"
"""What a reader notes of such an answer."""


def has_next_page(members: Mapping[str, Any]) -> bool:
    """Return whether another page follows a JSON answer, by the folded members beside its items.

    It reads StopNCII's `hasMoreRecords`, or its `nextPageToken` without one, ThreatExchange's
    `paging`, the `next` of Tech Against Terrorism, and OData's `nextLink` for VICS. Addresses are
    never stored, since they may contain a secret.
    """
    paging = members.get("paging")
    links = [members.get(name) for name in ("next", "odata.nextlink", "@odata.nextlink")]
    links.append(paging.get("next") if isinstance(paging, Mapping) else None)
    more = members.get("hasmorerecords")
    if more is None:
        links.append(members.get("nextpagetoken"))
    # Text counts too: a page mistaken for the last, in a full list, withdraws the others' entries.
    return str(more).casefold() in ("true", "1") or any(
        one and isinstance(one, str) for one in links
    )
