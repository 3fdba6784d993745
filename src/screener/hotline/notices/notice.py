"""Notice: a request to one partner to remove the item of one case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from screener.errors import HotlineError
from screener.hashing.hash import Hash
from screener.hotline.language.sentence import mark
from screener.hotline.model.case import Case, ItemHash
from screener.hotline.partners import ID_PATTERN, Hotline, Partner
from screener.lists.terms import Terms, intersect_terms

SCHEMA = "screener-notice/1"


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice to one partner about one case. Times are UTC.

    `hashes` are those of the partner's kinds that may be shared with it, without duplicates.
    `level` is the strictest of their sharing levels, or None without hashes. `withheld` counts the
    other hashes by reason.
    """

    id: str
    case: str
    hotline: Hotline
    partner: Partner
    written: datetime
    received: datetime
    due: datetime
    addresses: tuple[str, ...]
    hashes: tuple[Hash, ...] = field(repr=False)
    level: str | None
    withheld: dict[str, int]

    @property
    def legal_basis(self) -> str:
        """The partner's legal basis, or the hotline's if it has none."""
        return self.partner.legal_basis or self.hotline.legal_basis

    def to_dict(self) -> dict[str, Any]:
        """Return the contents of `notice.json`, with exact addresses and hashes."""
        return {
            "schema": SCHEMA,
            "notice": self.id,
            "case": self.case,
            "hotline": {"name": self.hotline.name, "escalation": self.hotline.contact},
            "partner": self.partner.id,
            "written": _format_time(self.written),
            "received": _format_time(self.received),
            "due": _format_time(self.due),
            "request": "remove",
            "legal_basis": self.legal_basis,
            "addresses": list(self.addresses),
            "hashes": [{"kind": hash_.kind.name, "value": hash_.text} for hash_ in self.hashes],
            "tlp": self.level,
        }


def _format_time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def make_notice(
    case: Case, partner: Partner, *, hotline: Hotline, at: datetime, notice: str,
    hashes: Sequence[ItemHash] = (),
) -> Notice:  # fmt: skip
    """Return a notice of a case to a partner.

    Addresses that no analyst has seen are left out.

    Parameters:
        case: An open case that was assessed as illegal.
        partner: The recipient, which decides the kinds of hashes and the sharing levels.
        hotline: The sender.
        at: The time of writing.
        notice: The id of the notice.
        hashes: The hashes of the case's item; never those of reporters (`case.hashes`).

    Raises:
        HotlineError: If the case is not open and illegal, if the id is invalid, or if no address
            and no hash may be sent.
    """
    if case.outcome != "illegal" or case.state not in ("assessed", "notified"):
        message = mark(
            "{case}: a notice needs a case that was assessed as illegal and is not closed"
        )
        raise HotlineError(message, case=case.reference)
    if not ID_PATTERN.fullmatch(notice):
        message = mark("the id of a notice has letters, digits, - and _ only, at most 64")
        raise HotlineError(message)
    sent: dict[Hash, Terms] = {}
    withheld: Counter[str] = Counter()
    for item_hash in hashes:
        terms = hotline.terms if item_hash.terms is None else item_hash.terms
        if item_hash.hash.kind.name not in partner.kinds:
            withheld["not a kind that the partner takes"] += 1
        elif exclusion := terms.why_not(partner.audience, today=at.astimezone(UTC).date()):
            withheld[exclusion] += 1
        else:
            sent[item_hash.hash] = intersect_terms([terms, sent.get(item_hash.hash, terms)])
    addresses = case.addresses if case.addresses_seen else ()
    if not sent and not addresses:
        message = mark("{case} has no address, and no hash that may go to {partner}")
        if case.addresses:
            message = mark(
                "nobody has seen the addresses of {case}, and it has no hash that may go to"
                " {partner}"
            )
        raise HotlineError(message, case=case.reference, partner=partner.id)
    level = intersect_terms(sent.values()).level if sent else None
    return Notice(
        notice, case.reference, hotline, partner, at, case.received, case.due, addresses,
        tuple(sent), level, dict(sorted(withheld.items())),
    )  # fmt: skip
