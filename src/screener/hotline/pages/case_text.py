"""Format cases as lines for a terminal, with defanged addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo

from screener.hotline.language.translator import Translator
from screener.hotline.language.wording import OUTCOMES, RECORD_STATES, STATES
from screener.hotline.model.addresses import defang
from screener.hotline.model.case import Case, ListMatch, Sent


def format_summary(case: Case, translate: Translator, *, now: datetime) -> str:
    """Return a summary of a case in one line."""
    parts = [translate.isolate_ltr(case.reference), translate(STATES[case.state])]
    if case.outcome is not None and case.outcome != "illegal":
        parts.append(translate(OUTCOMES[case.outcome]))
    if case.proposed_by is not None:
        parts.append(translate("waits for a second analyst"))
    if case.is_running:
        parts.append(format_time_left(case, translate, now=now))
    parts.append(translate.plural("{n} report", "{n} reports", len(case.reports)))
    if case.list_matches:
        parts.append(translate("known to a list"))
    return translate(", ").join(parts)


def format_time_left(case: Case, translate: Translator, *, now: datetime) -> str:
    """Return the time left, or the time by which a case is overdue."""
    duration = translate.duration(case.remaining(now))
    if case.is_overdue(now):
        return translate("overdue by {time}").format(time=duration)
    return translate("{time} left").format(time=duration)


def format_details(
    case: Case, translate: Translator, *, now: datetime, zone: tzinfo = UTC
) -> Iterator[str]:
    """Yield all details of a case except hashes, with times in a time zone."""
    yield format_summary(case, translate, now=now)
    yield translate("Received: {time}", time=translate.moment(case.received, zone))
    yield translate("Due: {time}", time=translate.moment(case.due, zone))
    for country in case.countries:
        yield translate("Country, as reported: {country}", country=translate.country_name(country))
    if case.languages:
        languages = translate(", ").join(map(translate.language_name, case.languages))
        yield translate("Languages of the reports: {languages}", languages=languages)
    for address in case.addresses:
        yield translate("Address: {address}").format(address=translate.isolate_ltr(defang(address)))
    if case.hashes:
        yield translate.plural(
            "{n} hash that a reporter's computer made", "{n} hashes that reporters' computers made",
            len(case.hashes),
        )  # fmt: skip
    for note in case.notes:
        for part in note.splitlines():
            yield translate("Note: {text}", text=part)
    yield from format_list_matches(case.list_matches, translate)
    if case.outcome == "illegal" and not case.addresses_seen and case.addresses:
        yield translate("Nobody has seen the addresses: notices do not contain them.")
    elif case.list_matches and case.addresses:
        yield translate(
            "A match is with the reporter's hashes and says nothing about the addresses."
        )
    for other_case in case.related:
        yield translate("See also {case}", case=other_case)
    if case.outcome is not None:
        yield translate("Outcome: {outcome}", outcome=translate(OUTCOMES[case.outcome]))
    if (
        case.basis is not None and case.outcome == "illegal"
    ):  # the basis of a reversed case stays stored
        yield translate("Basis: {basis}", basis=case.basis)
    for entry, state in case.entries:
        yield translate(
            "The hotline's list: {entry}, {state}", entry=entry, state=RECORD_STATES[state]
        )
    for event in case.events:
        yield translate(
            "{time}: {state}, by {by}: {reason}", time=translate.moment(event.at, zone),
            state=translate(STATES[event.state]), by=event.by, reason=event.reason,
        )  # fmt: skip
    for sent in case.sent:
        yield from _format_notice(case, sent, translate, zone)


def _format_notice(case: Case, sent: Sent, translate: Translator, zone: tzinfo) -> Iterator[str]:
    yield translate(
        "Notice {notice} to {partner}: {time}", notice=sent.notice, partner=sent.partner,
        time=translate.moment(sent.at, zone),
    )  # fmt: skip
    if sent.refused is not None and sent.removed is None:
        yield translate(
            "{partner} has refused to remove the item of {case}.",
            partner=sent.partner,
            case=case.reference,
        )
    if sent.removed is not None:
        yield translate(
            "{partner} has removed it: {time}",
            partner=sent.partner,
            time=translate.moment(sent.removed, zone),
        )
    elif sent.acknowledged is not None and sent.refused is None:
        yield translate(
            "{partner} has read it: {time}",
            partner=sent.partner,
            time=translate.moment(sent.acknowledged, zone),
        )


def format_list_matches(matches: Iterable[ListMatch], translate: Translator) -> Iterator[str]:
    """Yield one line per listed record that reports match, nearest first.

    Kinds of hashes with the same distance share a line.
    """
    kinds_by_match: dict[tuple[str, str, str, str, int], list[str]] = {}
    for match in sorted(matches, key=lambda match: match.distance):
        key = match.list, match.source, match.entry, match.state, match.distance
        kinds_by_match.setdefault(key, []).append(match.kind)
    for (list_name, source, entry, state, distance), kinds in kinds_by_match.items():
        yield translate(
            "Known: {list}, {source}/{entry}, {state} ({kind}, distance {distance})",
            list=list_name, source=source, entry=entry, state=RECORD_STATES.get(state, state),
            kind=", ".join(sorted(kinds)), distance=distance,
        )  # fmt: skip
