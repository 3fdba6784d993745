"""Case text: a case as the hotline's team reads it in a terminal, with no address to be opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo

from screener.hotline.language.translator import Translator
from screener.hotline.language.wording import LISTED, OUTCOMES, STATES
from screener.hotline.model import case as clock
from screener.hotline.model.addresses import defanged
from screener.hotline.model.case import Case, ListMatch, Sent


def summary_line(case: Case, say: Translator, *, now: datetime) -> str:
    """One case in one line."""
    parts = [say.isolated_ltr(case.reference), say(STATES[case.state])]
    if case.outcome is not None and case.outcome != "illegal":
        parts.append(say(OUTCOMES[case.outcome]))
    if case.proposed is not None:
        parts.append(say("waits for a second analyst"))
    if clock.runs(case):
        parts.append(time_left(case, say, now=now))
    parts.append(say.plural("{n} report", "{n} reports", len(case.reports)))
    if case.known:
        parts.append(say("known to a list"))
    return say(", ").join(parts)


def time_left(case: Case, say: Translator, *, now: datetime) -> str:
    """How much of its time is left, or how long it is over."""
    left = say.duration(clock.remaining(case, now))
    if clock.overdue(case, now):
        return say("overdue by {time}").format(time=left)
    return say("{time} left").format(time=left)


def detail_lines(
    case: Case, say: Translator, *, now: datetime, zone: tzinfo = UTC
) -> Iterator[str]:
    """All that is known of a case, but for hashes; times in a time zone, which each names."""
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
    yield from list_match_lines(case.known, say)
    if case.outcome == "illegal" and not case.seen and case.addresses:
        yield say("Nobody has seen the addresses: no notice tells them.")
    elif case.known and case.addresses:
        yield say("A match is of the reporter's hashes. It says nothing of the addresses.")
    for other in case.related:
        yield say("See also {case}", case=other)
    if case.outcome is not None:
        yield say("Outcome: {outcome}", outcome=say(OUTCOMES[case.outcome]))
    if case.basis is not None and case.outcome == "illegal":  # which it is the basis of
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
    """A notice, and what came back of it."""
    yield say(
        "Notice {notice} to {partner}: {time}", notice=sent.notice, partner=sent.partner,
        time=say.moment(sent.at, zone),
    )  # fmt: skip
    if sent.refused is not None and sent.removed is None:
        yield say("{partner} has refused to remove what {case} is of.", partner=sent.partner,
                  case=case.reference)  # fmt: skip
    if sent.removed is not None:
        yield say("{partner} has removed it: {time}", partner=sent.partner,
                  time=say.moment(sent.removed, zone))  # fmt: skip
    elif sent.acknowledged is not None and sent.refused is None:
        yield say("{partner} has read it: {time}", partner=sent.partner,
                  time=say.moment(sent.acknowledged, zone))  # fmt: skip


def list_match_lines(known: Iterable[ListMatch], say: Translator) -> Iterator[str]:
    """The listed records that reports reach, the nearest first: a line for each, and the kinds of
    hashes by which it is as near, of which an item has a dozen.
    """
    found: dict[tuple[str, str, str, str, int], list[str]] = {}
    for one in sorted(known, key=lambda one: one.distance):
        key = one.list, one.source, one.entry, one.state, one.distance
        found.setdefault(key, []).append(one.kind)
    for (name, source, entry, state, distance), kinds in found.items():
        yield say(
            "Known: {list}, {source}/{entry}, {state} ({kind}, distance {distance})",
            list=name, source=source, entry=entry, state=LISTED.get(state, state),
            kind=", ".join(sorted(kinds)), distance=distance,
        )  # fmt: skip
