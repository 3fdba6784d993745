"""Status page: the clock of each case and the partners' speed of removal, as one HTML page.

It shows no address, hash, reason or analyst, so it can be displayed in public.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from os import PathLike
from pathlib import Path

from screener.errors import HotlineError, OutputError
from screener.hotline.helplines import Helpline, load, warn_of_unchecked
from screener.hotline.language import html
from screener.hotline.language.sentence import describe_os_error, mark
from screener.hotline.language.translator import Translator, get_translator
from screener.hotline.language.wording import STATES, warn_of_unreviewed
from screener.hotline.model.case import Case, Language, Standing
from screener.hotline.pages.figures import Figures, Month, Removals, by_month, figures
from screener.hotline.partners import Hotline, Partner
from screener.reporting.pages.html import opening
from screener.system.output_file import FileKind, replace_file

_STANDINGS: Mapping[Standing, str] = {
    "overdue": mark("overdue"),
    "warned": mark("less than a quarter of the time left"),
    "in_time": mark("in time"),
    "ended": mark("ended"),
}
_ENDED_SHOWN = 50
_OPENING = opening("hotline page")


def publish(path: Path, data: bytes, *, kind: FileKind, mode: int) -> None:
    """Replace a file that others read, atomically.

    Raises HotlineError if it cannot be written, or if it holds anything but this `kind`: it may be
    the hotline's only casebook or key.
    """
    try:
        replace_file(path, data, kind=kind, mode=mode)
    except OSError as error:
        message = mark("{file} cannot be written: {why}")
        raise HotlineError(message, file=path, why=describe_os_error(error)) from error
    except OutputError:
        message = mark("{file} holds something else, which would be lost; choose another name")
        raise HotlineError(message, file=path) from None


def write_html(
    path: str | PathLike[str], cases: Iterable[Case], *, now: datetime, language: Language,
    hotline: Hotline, partners: Mapping[str, Partner] | None = None,
    helplines: tuple[Helpline, ...] | None = None,
) -> None:  # fmt: skip
    """Write the page, readable by its owner only, atomically.

    `partners` give the names of partners. `helplines` are those shown to reporters (default: the
    package's); the page warns of unchecked ones. Raises HotlineError if the page cannot be written,
    or if the file holds anything else.
    """
    text = render_page(
        cases, now=now, language=language, hotline=hotline, partners=partners, helplines=helplines
    )
    publish(Path(path), text.encode(), kind=FileKind(_OPENING, "a status page"), mode=0o600)


def render_page(
    cases: Iterable[Case], *, now: datetime, language: Language, hotline: Hotline,
    partners: Mapping[str, Partner] | None = None, helplines: tuple[Helpline, ...] | None = None,
) -> str:  # fmt: skip
    """Return the page as HTML."""
    translate = get_translator(language)
    every = sorted(cases, key=lambda case: (case.due, case.reference))
    running = [case for case in every if case.is_running]
    ended = [case for case in every if not case.is_running]
    numbers = figures(every, now=now)
    names = {key: partner.name for key, partner in (partners or {}).items()}
    sections = (
        (translate("Cases whose clock runs"), _running(running, now, hotline, translate)),
        (translate("Removal by partner"), _partners(numbers, names, translate)),
        (translate("By month"), _months(by_month(every, zone=hotline.zone), translate)),
        (translate("Cases that have ended"), _ended(ended, now, hotline, translate)),
    )
    time = html.bdi(translate.moment(now, hotline.zone))
    body = (
        f"<p>{html.escape_text(translate('As of'))} {time}</p>\n"
        + _numbers(numbers, translate)
        + "".join(_section(title, content, translate) for title, content in sections)
        + _footer(load() if helplines is None else helplines, translate)
    )
    title = translate("{hotline}: the clock of each case", hotline=hotline.name)
    return html.page(_OPENING, translate, title, body)


def _section(title: str, body: str, translate: Translator) -> str:
    return f"<h2>{html.escape_text(title)}</h2>\n" + (
        body or f"<p>{html.escape_text(translate('none'))}</p>\n"
    )


def _numbers(numbers: Figures, translate: Translator) -> str:
    everyone = numbers.all
    shown = [
        (translate.number(numbers.standings.get("overdue", 0)), translate("overdue"), "overdue"),
        (
            translate.number(numbers.standings.get("warned", 0)),
            translate(_STANDINGS["warned"]),
            "warned",
        ),
        (translate.number(numbers.standings.get("in_time", 0)), translate("in time"), "in_time"),
        (_share(everyone, translate), translate("removed within 24 hours"), ""),
        (_median(everyone, translate), translate("median time to removal"), ""),
    ]
    cells = "".join(
        f'<div class="figure {kind}"><b>{html.escape_text(number)}</b>'
        f"<span>{html.escape_text(label)}</span></div>"
        for number, label, kind in shown
    )
    return f'<div class="figures">{cells}</div>\n'


def _share(removals: Removals, translate: Translator) -> str:
    return "–" if removals.share is None else translate.share(removals.share)


def _median(counts: Removals | Month, translate: Translator) -> str:
    return "–" if counts.median is None else translate.duration(counts.median)


def _running(cases: list[Case], now: datetime, hotline: Hotline, translate: Translator) -> str:
    heads = (
        translate("Case"),
        translate("Time"),
        translate("State"),
        translate("Received"),
        translate("Due"),
    )
    when = _when(now, hotline, translate)
    rows = [
        (
            html.code(case.reference),
            _time(case, now, translate),
            html.escape_text(translate(STATES[case.state])),
            when(case.received),
            when(case.due),
        )
        for case in cases
    ]
    return html.table(map(html.escape_text, heads), rows) if rows else ""


def _when(now: datetime, hotline: Hotline, translate: Translator) -> Callable[[datetime], str]:
    """Return a formatter of times that omits the zone if its offset is that of `now`."""
    return lambda at: html.bdi(translate.moment(at, hotline.zone, beside=now))


def _time(case: Case, now: datetime, translate: Translator) -> str:
    how = case.standing(now)
    length = html.bdi(translate.duration(case.remaining(now)))
    message = translate("overdue by {time}") if how == "overdue" else translate("{time} left")
    return f'<span class="tag {how}">{html.fill(message, time=length)}</span>'


def _partners(numbers: Figures, names: Mapping[str, str], translate: Translator) -> str:
    heads = (
        translate("Partner"), translate("Notices"), translate("Acknowledged"),
        translate("Removed"), translate("Refused"),
        translate("Removed within 24 hours"), translate("Median time to removal"),
    )  # fmt: skip
    rows = [
        (html.isolate(names.get(key, key)), *_removals(removals, translate))
        for key, removals in numbers.partners.items()
    ]
    if not rows:
        return ""
    rows.append(
        (
            f'<span class="strong">{html.escape_text(translate("all"))}</span>',
            *_removals(numbers.all, translate),
        )
    )
    hint = translate(
        "Counted from when the report was received. The share is of notices that were removed or"
        " are past due; the median is of what was removed."
    )
    return html.table(map(html.escape_text, heads), rows) + f"<p>{html.escape_text(hint)}</p>\n"


def _removals(removals: Removals, translate: Translator) -> tuple[str, ...]:
    share = html.escape_text(_share(removals, translate))
    if removals.share is not None:
        share += f" ({html.escape_text(_part(removals.in_time, removals.counted, translate))})"
    numbers = (removals.sent, removals.acknowledged, removals.removed, removals.refused)
    return (
        *(html.escape_text(translate.number(n)) for n in numbers),
        share,
        html.escape_text(_median(removals, translate)),
    )


def _part(part: int, whole: int, translate: Translator) -> str:
    return translate("{part} of {whole}").format(
        part=translate.number(part), whole=translate.number(whole)
    )


def _months(months: Iterable[Month], translate: Translator) -> str:
    heads = (
        translate("Month"), translate("Reports"), translate("New cases"),
        translate("Assessed"), translate("Held illegal"), translate("Notices"),
        translate("Removed"), translate("Removed within 24 hours"),
        translate("Median time to removal"),
    )  # fmt: skip
    rows = []
    for one in months:
        numbers = (one.reports, one.cases, one.assessed, one.illegal, one.sent, one.removed)
        in_time = _part(one.in_time, one.removed, translate) if one.removed else "–"
        rows.append(
            (
                html.isolate(one.month),
                *(html.escape_text(translate.number(n)) for n in numbers),
                html.escape_text(in_time),
                html.escape_text(_median(one, translate)),
            )
        )
    if not rows:
        return ""
    hint = translate(
        "Each step counts in the month in which it was taken. The share and the median are of what"
        " was removed in the month, counted from when the report was received."
    )
    return html.table(map(html.escape_text, heads), rows) + f"<p>{html.escape_text(hint)}</p>\n"


def _ended(cases: list[Case], now: datetime, hotline: Hotline, translate: Translator) -> str:
    heads = (translate("Case"), translate("State"), translate("Received"), translate("Ended"))
    ended = sorted(cases, key=lambda case: case.since, reverse=True)
    when = _when(now, hotline, translate)
    rows = [
        (
            html.code(case.reference),
            html.escape_text(translate(STATES[case.state])),
            when(case.received),
            when(case.since),
        )
        for case in ended[:_ENDED_SHOWN]
    ]
    if not rows:
        return ""
    more = len(ended) - len(rows)
    rest = translate.plural("and {n} more case", "and {n} more cases", more) if more else ""
    return html.table(map(html.escape_text, heads), rows) + (
        f"<p>{html.escape_text(rest)}</p>\n" if rest else ""
    )


def _footer(helplines: tuple[Helpline, ...], translate: Translator) -> str:
    note = translate("This page names no address, no picture and no person.")
    warnings = (warn_of_unreviewed(translate), warn_of_unchecked(helplines, translate))
    notes = "".join(f'<p class="note">{html.escape_text(one)}</p>\n' for one in warnings if one)
    return f"<footer><p>{html.escape_text(note)}</p>\n{notes}</footer>\n"
