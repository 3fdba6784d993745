"""Status page: how the clock of each case stands, and how fast partners remove, as one HTML page.

It names cases by their references and tells nothing of what was reported: no address, no hash, no
reason, no name of who assessed. It can hang in front of everyone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from os import PathLike
from pathlib import Path

from screener.errors import HotlineError, OutputError
from screener.hotline.helplines import Helpline, load, unchecked_notice
from screener.hotline.language import html
from screener.hotline.language.sentence import marked, why
from screener.hotline.language.translator import Translator, translator
from screener.hotline.model import case as clock
from screener.hotline.model.case import Case, Language, Standing
from screener.hotline.notices.wording import STATES, unreviewed_notice
from screener.hotline.pages.figures import Figures, Month, Removals, by_month, figures
from screener.hotline.partners import Hotline, Partner
from screener.reporting.pages.html import opening
from screener.system.output_file import FileKind, replace_file

_STANDINGS: Mapping[Standing, str] = {
    "overdue": marked("overdue"),
    "warned": marked("less than a quarter of the time left"),
    "in_time": marked("in time"),
    "ended": marked("ended"),
}
_ENDED_SHOWN = 50
_OPENING = opening("hotline page")


def publish(path: Path, data: bytes, *, sort: FileKind, mode: int) -> None:
    """Write a file that others read, in one step. Raises HotlineError if it cannot be written, or
    if it holds anything but the `sort`: it may be the hotline's only casebook or key.
    """
    try:
        replace_file(path, data, kind=sort, mode=mode)
    except OSError as error:
        message = marked("{file} cannot be written: {why}")
        raise HotlineError(message, file=path, why=why(error)) from error
    except OutputError:
        message = marked("{file} holds something else, which would be lost; choose another name")
        raise HotlineError(message, file=path) from None


def write_html(
    path: str | PathLike[str], cases: Iterable[Case], *, now: datetime, language: Language,
    hotline: Hotline, partners: Mapping[str, Partner] | None = None,
    helplines: tuple[Helpline, ...] | None = None,
) -> None:  # fmt: skip
    """Write the page, readable by its owner only; whoever opens it meanwhile sees the old one
    whole. `partners` give the names of partners; `helplines` are those that reporters are told,
    the package's own where left out: the page tells which of them nobody has checked. HotlineError
    where it cannot be written, or where the file holds anything but such a page.
    """
    made = page_of(
        cases, now=now, language=language, hotline=hotline, partners=partners, helplines=helplines
    )
    publish(Path(path), made.encode(), sort=FileKind(_OPENING, "a status page"), mode=0o600)


def page_of(
    cases: Iterable[Case], *, now: datetime, language: Language, hotline: Hotline,
    partners: Mapping[str, Partner] | None = None, helplines: tuple[Helpline, ...] | None = None,
) -> str:  # fmt: skip
    """The page as a string of HTML."""
    say = translator(language)
    held = sorted(cases, key=lambda case: (case.due, case.reference))
    running = [case for case in held if clock.runs(case)]
    ended = [case for case in held if not clock.runs(case)]
    found = figures(held, now=now)
    names = {one: partner.name for one, partner in (partners or {}).items()}
    body = (
        f"<p>{html.said(say('As of'))} {html.apart(say.moment(now, hotline.zone))}</p>\n"
        + _numbers(found, say)
        + _section(say("Cases whose clock runs"), _running(running, now, hotline, say), say)
        + _section(say("Removal by partner"), _partners(found, names, say), say)
        + _section(say("By month"), _months(by_month(held, zone=hotline.zone), say), say)
        + _section(say("Cases that have ended"), _ended(ended, now, hotline, say), say)
        + _footer(load() if helplines is None else helplines, say)
    )
    title = say("{hotline}: the clock of each case", hotline=hotline.name)
    return html.page(_OPENING, say, title, body)


def _section(title: str, body: str, say: Translator) -> str:
    return f"<h2>{html.said(title)}</h2>\n" + (body or f"<p>{html.said(say('none'))}</p>\n")


def _numbers(found: Figures, say: Translator) -> str:
    everyone = found.all
    shown = [
        (say.number(found.standings.get("overdue", 0)), say("overdue"), "overdue"),
        (say.number(found.standings.get("warned", 0)), say(_STANDINGS["warned"]), "warned"),
        (say.number(found.standings.get("in_time", 0)), say("in time"), "in_time"),
        (_share(everyone, say), say("removed within 24 hours"), ""),
        (_median(everyone, say), say("median time to removal"), ""),
    ]
    cells = "".join(
        f'<div class="figure {kind}"><b>{html.said(number)}</b>'
        f"<span>{html.said(label)}</span></div>"
        for number, label, kind in shown
    )
    return f'<div class="figures">{cells}</div>\n'


def _share(found: Removals, say: Translator) -> str:
    return "–" if found.share is None else say.share(found.share)


def _median(found: Removals | Month, say: Translator) -> str:
    return "–" if found.median is None else say.duration(found.median)


def _running(cases: list[Case], now: datetime, hotline: Hotline, say: Translator) -> str:
    heads = (say("Case"), say("Time"), say("State"), say("Received"), say("Due"))
    when = _when(now, hotline, say)
    rows = [
        (
            html.code(case.reference),
            _time(case, now, say),
            html.said(say(STATES[case.state])),
            when(case.received),
            when(case.due),
        )
        for case in cases
    ]
    return html.table(map(html.said, heads), rows) if rows else ""


def _when(now: datetime, hotline: Hotline, say: Translator) -> Callable[[datetime], str]:
    """How a time stands in a table: its zone is told above, unless clocks were changed since."""
    return lambda at: html.apart(say.moment(at, hotline.zone, beside=now))


def _time(case: Case, now: datetime, say: Translator) -> str:
    """What is left, or by how much it is late; its colour never says it alone."""
    how = clock.standing(case, now)
    length = html.apart(say.duration(clock.remaining(case, now)))
    message = say("overdue by {time}") if how == "overdue" else say("{time} left")
    return f'<span class="tag {how}">{html.filled(message, time=length)}</span>'


def _partners(found: Figures, names: Mapping[str, str], say: Translator) -> str:
    heads = (
        say("Partner"), say("Notices"), say("Acknowledged"), say("Removed"), say("Refused"),
        say("Removed within 24 hours"), say("Median time to removal"),
    )  # fmt: skip
    rows = [
        (html.isolated(names.get(one, one)), *_removals(some, say))
        for one, some in found.partners.items()
    ]
    if not rows:
        return ""
    rows.append(
        (f'<span class="strong">{html.said(say("all"))}</span>', *_removals(found.all, say))
    )
    hint = say(
        "Counted from when the report was received. The share is of notices that were removed or"
        " are past due; the median is of what was removed."
    )
    return html.table(map(html.said, heads), rows) + f"<p>{html.said(hint)}</p>\n"


def _removals(some: Removals, say: Translator) -> tuple[str, ...]:
    share = html.said(_share(some, say))
    if some.share is not None:
        share += f" ({html.said(_part(some.in_time, some.counted, say))})"
    numbers = (some.sent, some.acknowledged, some.removed, some.refused)
    return (*(html.said(say.number(n)) for n in numbers), share, html.said(_median(some, say)))


def _part(part: int, whole: int, say: Translator) -> str:
    return say("{part} of {whole}").format(part=say.number(part), whole=say.number(whole))


def _months(months: Iterable[Month], say: Translator) -> str:
    heads = (
        say("Month"), say("Reports"), say("New cases"), say("Assessed"), say("Held illegal"),
        say("Notices"), say("Removed"), say("Removed within 24 hours"),
        say("Median time to removal"),
    )  # fmt: skip
    rows = []
    for one in months:
        numbers = (one.reports, one.cases, one.assessed, one.illegal, one.sent, one.removed)
        in_time = _part(one.in_time, one.removed, say) if one.removed else "–"
        rows.append(
            (
                html.isolated(one.month),
                *(html.said(say.number(n)) for n in numbers),
                html.said(in_time),
                html.said(_median(one, say)),
            )
        )
    if not rows:
        return ""
    hint = say(
        "Each step counts in the month in which it was taken. The share and the median are of what"
        " was removed in the month, counted from when the report was received."
    )
    return html.table(map(html.said, heads), rows) + f"<p>{html.said(hint)}</p>\n"


def _ended(cases: list[Case], now: datetime, hotline: Hotline, say: Translator) -> str:
    heads = (say("Case"), say("State"), say("Received"), say("Ended"))
    ended = sorted(cases, key=lambda case: case.since, reverse=True)
    when = _when(now, hotline, say)
    rows = [
        (
            html.code(case.reference),
            html.said(say(STATES[case.state])),
            when(case.received),
            when(case.since),
        )
        for case in ended[:_ENDED_SHOWN]
    ]
    if not rows:
        return ""
    more = len(ended) - len(rows)
    rest = say.plural("and {n} more case", "and {n} more cases", more) if more else ""
    return html.table(map(html.said, heads), rows) + (f"<p>{html.said(rest)}</p>\n" if rest else "")


def _footer(helplines: tuple[Helpline, ...], say: Translator) -> str:
    told = say("This page names no address, no picture and no person.")
    warnings = (unreviewed_notice(say), unchecked_notice(helplines, say))
    notes = "".join(f'<p class="note">{html.said(one)}</p>\n' for one in warnings if one)
    return f"<footer><p>{html.said(told)}</p>\n{notes}</footer>\n"
