"""Detect pages of a service's answer that are not the last one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NEXT_PAGE_NOTE = "another page follows; import it too"  # a reader's note on such a page


def has_next_page(members: Mapping[str, Any]) -> bool:
    """Return whether the folded root members of a JSON answer announce another page.

    They are StopNCII's `hasMoreRecords`, or its `nextPageToken` if that is missing,
    ThreatExchange's `paging`, the `next` of Tech Against Terrorism, and OData's `nextLink` for
    VICS. Addresses are never stored, since they may contain a secret.
    """
    paging = members.get("paging")
    links = [members.get(name) for name in ("next", "odata.nextlink", "@odata.nextlink")]
    links.append(paging.get("next") if isinstance(paging, Mapping) else None)
    has_more = members.get("hasmorerecords")
    if has_more is None:
        links.append(members.get("nextpagetoken"))
    # Texts such as "true" count too: if a full list were taken for its last page, all entries of
    # the other pages would be withdrawn.
    return str(has_more).casefold() in ("true", "1") or any(
        link and isinstance(link, str) for link in links
    )
