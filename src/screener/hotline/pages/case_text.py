"""Case text: a case as lines for a terminal, with addresses that cannot be opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo

from screener.hotline.language.translator import Translator
from screener.hotline.language.wording import LISTED, OUTCOMES, STATES
from screener.hotline.model.addresses import defanged
from screener.hotline.model.case import Case, ListMatch, Sent


def summary_line(case: Case, say: Translator, *, now: datetime) -> str:
    """Return a case in one line."""
    parts = [say.isolated_ltr(case.reference), say(STATES[case.state])]
    if case.outcome is not None and case.outcome != "illegal":
        parts.append(say(OUTCOMES[case.outcome]))
    if case.proposed_by is not None:
        parts.append(say("waits for a second analyst"))
    if case.is_running:
        parts.append(time_left(case, say, now=now))
    parts.append(say.plural("{n} report", "{n} reports", len(case.reports)))
    if case.list_matches:
        parts.append(say("known to a list"))
    return say(", ").join(parts)


def time_left(case: Case, say: Translator, *, now: datetime) -> str:
    """Return how much time is left, or by how much the case is overdue."""
    left = say.duration(case.remaining(now))
    if case.is_overdue(now):
        return say("overdue by {time}").format(time=left)
    return say("{time} left").format(time=left)


def detail_lines(
    case: Case, say: Translator, *, now: datetime, zone: tzinfo = UTC
) -> Iterator[str]:
    """Yield all details of a case but hashes, with times in a time zone."""
    yield summary_line(case, say, now=now)
    yield say("Received: {time}", time=say.moment(case.received, zone))
    yield say("Due: {time}", time=say.moment(case.due, zone))
    for country in case.countries:
        yield say("Country, as reported: {country}", country=say.country_name(country))
    if case.languages:
        languages = say(", ").join(map(say.language_name, case.languages))
        yield say("Languages of the reports: {languages}", languages=languages)
    for address in case.addresses:
        yield say("Address: {address}").format(address=say.isolated_ltr(defanged(address)))
    if case.hashes:
        yield say.plural(
            "{n} hash that a reporter's computer made", "{n} hashes that reporters' computers made",
            len(case.hashes),
        )  # fmt: skip
    for note in case.notes:
        for part in note.splitlines():
            yield say("Note: {text}", text=part)
    yield from list_match_lines(case.list_matches, say)
    if case.outcome == "illegal" and not case.addresses_seen and case.addresses:
        yield say("Nobody has seen the addresses: notices do not contain them.")
    elif case.list_matches and case.addresses:
        yield say("A match is with the reporter's hashes and says nothing about the addresses.")
    for other in case.related:
        yield say("See also {case}", case=other)
    if case.outcome is not None:
        yield say("Outcome: {outcome}", outcome=say(OUTCOMES[case.outcome]))
    if case.basis is not None and case.outcome == "illegal":  # otherwise it was reversed
        yield say("Basis: {basis}", basis=case.basis)
    for entry, state in case.entries:
        yield say("The hotline's list: {entry}, {state}", entry=entry, state=LISTED[state])
    for event in case.events:
        yield say(
            "{time}: {state}, by {by}: {reason}", time=say.moment(event.at, zone),
            state=say(STATES[event.state]), by=event.by, reason=event.reason,
        )  # fmt: skip
    for sent in case.sent:
        yield from _notice_lines(case, sent, say, zone)


def _notice_lines(case: Case, sent: Sent, say: Translator, zone: tzinfo) -> Iterator[str]:
    yield say(
        "Notice {notice} to {partner}: {time}", notice=sent.notice, partner=sent.partner,
        time=say.moment(sent.at, zone),
    )  # fmt: skip
    if sent.refused is not None and sent.removed is None:
        yield say("{partner} has refused to remove the item of {case}.", partner=sent.partner,
                  case=case.reference)  # fmt: skip
    if sent.removed is not None:
        yield say("{partner} has removed it: {time}", partner=sent.partner,
                  time=say.moment(sent.removed, zone))  # fmt: skip
    elif sent.acknowledged is not None and sent.refused is None:
        yield say("{partner} has read it: {time}", partner=sent.partner,
                  time=say.moment(sent.acknowledged, zone))  # fmt: skip


def list_match_lines(matches: Iterable[ListMatch], say: Translator) -> Iterator[str]:
    """Yield a line for each listed record that reports match, the nearest first.

    Kinds of hashes with the same distance share a line.
    """
    groups: dict[tuple[str, str, str, str, int], list[str]] = {}
    for match in sorted(matches, key=lambda match: match.distance):
        key = match.list, match.source, match.entry, match.state, match.distance
        groups.setdefault(key, []).append(match.kind)
    for (name, source, entry, state, distance), kinds in groups.items():
        yield say(
            "Known: {list}, {source}/{entry}, {state} ({kind}, distance {distance})",
            list=name, source=source, entry=entry, state=LISTED.get(state, state),
            kind=", ".join(sorted(kinds)), distance=distance,
        )  # fmt: skip
