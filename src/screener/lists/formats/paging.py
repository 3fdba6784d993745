"""Paging: whether an answer of a service says that it is not the last of a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FOLLOWS = "another page follows; import it too"
"""What a reader notes of such an answer."""


def follows(said: Mapping[str, Any]) -> bool:
    """Whether another page follows a JSON answer, by what it says beside its items, names folded:
    StopNCII's `hasMoreRecords`, ThreatExchange's `paging`, the `next` of Tech Against Terrorism,
    and the `nextLink` of OData, in which VICS is. An address is never kept: it may hold a secret.
    """
    paging = said.get("paging")
    links = [said.get(name) for name in ("next", "odata.nextlink", "@odata.nextlink")]
    links.append(paging.get("next") if isinstance(paging, Mapping) else None)
    return said.get("hasmorerecords") is True or any(one and isinstance(one, str) for one in links)
