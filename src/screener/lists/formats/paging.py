"""Paging: whether an answer of a service says that it is not the last of a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FOLLOWS = "another page follows; import it too"
"""What a reader notes of such an answer."""


def follows(said: Mapping[str, Any]) -> bool:
    """Whether another page follows a JSON answer, by what it says beside its items, names folded:
    StopNCII's `hasMoreRecords`, or its `nextPageToken` without one, ThreatExchange's `paging`, the
    `next` of Tech Against Terrorism, and the `nextLink` of OData, in which VICS is. An address is
    never kept: it may hold a secret.
    """
    paging = said.get("paging")
    links = [said.get(name) for name in ("next", "odata.nextlink", "@odata.nextlink")]
    links.append(paging.get("next") if isinstance(paging, Mapping) else None)
    more = said.get("hasmorerecords")
    if more is None:
        links.append(said.get("nextpagetoken"))
    # It may be a text: a page that is taken for the last one withdraws, as a full list, the others.
    return str(more).casefold() in ("true", "1") or any(
        one and isinstance(one, str) for one in links
    )
