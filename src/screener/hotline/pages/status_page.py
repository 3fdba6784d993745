"""Status page: the clocks of all cases and the partners' speed of removal, in HTML.

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
_MAX_ENDED_CASES = 50
_OPENING = opening("hotline page")


def publish(path: Path, data: bytes, *, kind: FileKind, mode: int) -> None:
    """Replace a published file atomically.

    Raises HotlineError if it cannot be written, or if it has other content than `kind`, such as the
    hotline's casebook or key.
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
    """Write the status page atomically, for its owner only.

    Parameters:
        path: The page, which is replaced if it exists.
        cases: All cases of the hotline.
        now: The time for which the clocks are shown.
        language: The language of the page.
        hotline: The hotline, for its name and time zone.
        partners: The partners, for their names (default: their ids are shown).
        helplines: The helplines for reporters (default: the package's). The page warns of
            unchecked ones.

    Raises:
        HotlineError: If the page cannot be written, or if the file is no status page.
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
    all_cases = sorted(cases, key=lambda case: (case.due, case.reference))
    running = [case for case in all_cases if case.is_running]
    ended = [case for case in all_cases if not case.is_running]
    totals = figures(all_cases, now=now)
    names = {key: partner.name for key, partner in (partners or {}).items()}
    sections = (
        (translate("Cases whose clock runs"), _render_running(running, now, hotline, translate)),
        (translate("Removal by partner"), _render_partners(totals, names, translate)),
        (translate("By month"), _render_months(by_month(all_cases, zone=hotline.zone), translate)),
        (translate("Cases that have ended"), _render_ended(ended, now, hotline, translate)),
    )
    time = html.bdi(translate.moment(now, hotline.zone))
    body = (
        f"<p>{html.escape_text(translate('As of'))} {time}</p>\n"
        + _render_figures(totals, translate)
        + "".join(_render_section(title, content, translate) for title, content in sections)
        + _render_footer(load() if helplines is None else helplines, translate)
    )
    title = translate("{hotline}: the clock of each case", hotline=hotline.name)
    return html.page(_OPENING, translate, title, body)


def _render_section(title: str, body: str, translate: Translator) -> str:
    return f"<h2>{html.escape_text(title)}</h2>\n" + (
        body or f"<p>{html.escape_text(translate('none'))}</p>\n"
    )


def _render_figures(totals: Figures, translate: Translator) -> str:
    everyone = totals.all
    tiles = [
        (
            translate.number(totals.standings.get("overdue", 0)),
            translate("overdue"),
            "overdue",
        ),
        (
            translate.number(totals.standings.get("warned", 0)),
            translate(_STANDINGS["warned"]),
            "warned",
        ),
        (
            translate.number(totals.standings.get("in_time", 0)),
            translate("in time"),
            "in_time",
        ),
        (_format_share(everyone, translate), translate("removed within 24 hours"), ""),
        (_format_median(everyone, translate), translate("median time to removal"), ""),
    ]
    cells = "".join(
        f'<div class="figure {kind}"><b>{html.escape_text(number)}</b>'
        f"<span>{html.escape_text(label)}</span></div>"
        for number, label, kind in tiles
    )
    return f'<div class="figures">{cells}</div>\n'


def _format_share(removals: Removals, translate: Translator) -> str:
    return "–" if removals.share is None else translate.share(removals.share)


def _format_median(counts: Removals | Month, translate: Translator) -> str:
    return "–" if counts.median is None else translate.duration(counts.median)


def _render_running(
    cases: list[Case], now: datetime, hotline: Hotline, translate: Translator
) -> str:
    headings = (
        translate("Case"),
        translate("Time"),
        translate("State"),
        translate("Received"),
        translate("Due"),
    )
    format_time = _make_time_formatter(now, hotline, translate)
    rows = [
        (
            html.code(case.reference),
            _render_clock(case, now, translate),
            html.escape_text(translate(STATES[case.state])),
            format_time(case.received),
            format_time(case.due),
        )
        for case in cases
    ]
    return html.table(map(html.escape_text, headings), rows) if rows else ""


def _make_time_formatter(
    now: datetime, hotline: Hotline, translate: Translator
) -> Callable[[datetime], str]:
    """Return a function that formats times, with UTC offsets other than that of `now`."""
    return lambda at: html.bdi(translate.moment(at, hotline.zone, reference=now))


def _render_clock(case: Case, now: datetime, translate: Translator) -> str:
    standing = case.standing(now)
    length = html.bdi(translate.duration(case.remaining(now)))
    message = translate("overdue by {time}") if standing == "overdue" else translate("{time} left")
    return f'<span class="tag {standing}">{html.fill(message, time=length)}</span>'


def _render_partners(totals: Figures, names: Mapping[str, str], translate: Translator) -> str:
    headings = (
        translate("Partner"), translate("Notices"), translate("Acknowledged"),
        translate("Removed"), translate("Refused"),
        translate("Removed within 24 hours"), translate("Median time to removal"),
    )  # fmt: skip
    rows = [
        (html.isolate(names.get(key, key)), *_render_removals(removals, translate))
        for key, removals in totals.partners.items()
    ]
    if not rows:
        return ""
    rows.append(
        (
            f'<span class="strong">{html.escape_text(translate("all"))}</span>',
            *_render_removals(totals.all, translate),
        )
    )
    hint = translate(
        "Counted from when the report was received. The share is of notices that were removed or"
        " are past due; the median is of what was removed."
    )
    return html.table(map(html.escape_text, headings), rows) + f"<p>{html.escape_text(hint)}</p>\n"


def _render_removals(removals: Removals, translate: Translator) -> tuple[str, ...]:
    share = html.escape_text(_format_share(removals, translate))
    if removals.share is not None:
        share += (
            f" ({html.escape_text(_format_part(removals.in_time, removals.counted, translate))})"
        )
    counts = (removals.sent, removals.acknowledged, removals.removed, removals.refused)
    return (
        *(html.escape_text(translate.number(n)) for n in counts),
        share,
        html.escape_text(_format_median(removals, translate)),
    )


def _format_part(part: int, whole: int, translate: Translator) -> str:
    return translate("{part} of {whole}").format(
        part=translate.number(part), whole=translate.number(whole)
    )


def _render_months(months: Iterable[Month], translate: Translator) -> str:
    headings = (
        translate("Month"), translate("Reports"), translate("New cases"),
        translate("Assessed"), translate("Held illegal"), translate("Notices"),
        translate("Removed"), translate("Removed within 24 hours"),
        translate("Median time to removal"),
    )  # fmt: skip
    rows = []
    for month in months:
        counts = (
            month.reports,
            month.cases,
            month.assessed,
            month.illegal,
            month.sent,
            month.removed,
        )
        in_time = _format_part(month.in_time, month.removed, translate) if month.removed else "–"
        rows.append(
            (
                html.isolate(month.month),
                *(html.escape_text(translate.number(n)) for n in counts),
                html.escape_text(in_time),
                html.escape_text(_format_median(month, translate)),
            )
        )
    if not rows:
        return ""
    hint = translate(
        "Each step counts in the month in which it was taken. The share and the median are of what"
        " was removed in the month, counted from when the report was received."
    )
    return html.table(map(html.escape_text, headings), rows) + f"<p>{html.escape_text(hint)}</p>\n"


def _render_ended(cases: list[Case], now: datetime, hotline: Hotline, translate: Translator) -> str:
    headings = (translate("Case"), translate("State"), translate("Received"), translate("Ended"))
    ended = sorted(cases, key=lambda case: case.since, reverse=True)
    format_time = _make_time_formatter(now, hotline, translate)
    rows = [
        (
            html.code(case.reference),
            html.escape_text(translate(STATES[case.state])),
            format_time(case.received),
            format_time(case.since),
        )
        for case in ended[:_MAX_ENDED_CASES]
    ]
    if not rows:
        return ""
    more = len(ended) - len(rows)
    more_text = translate.plural("and {n} more case", "and {n} more cases", more) if more else ""
    return html.table(map(html.escape_text, headings), rows) + (
        f"<p>{html.escape_text(more_text)}</p>\n" if more_text else ""
    )


def _render_footer(helplines: tuple[Helpline, ...], translate: Translator) -> str:
    note = translate("This page names no address, no picture and no person.")
    warnings = (warn_of_unreviewed(translate), warn_of_unchecked(helplines, translate))
    notes = "".join(
        f'<p class="note">{html.escape_text(warning)}</p>\n' for warning in warnings if warning
    )
    return f"<footer><p>{html.escape_text(note)}</p>\n{notes}</footer>\n"
