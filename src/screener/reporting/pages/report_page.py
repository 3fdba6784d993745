"""A file of results as an HTML page, without scripts, pictures or hashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from importlib.resources import files
from os import PathLike
from pathlib import Path

from screener.errors import counted
from screener.reporting.pages.charts import draw_bars
from screener.reporting.pages.html import head, opening, text
from screener.reporting.pages.result_file import parse_mtime
from screener.reporting.pages.result_summary import Hit, Input, Summary
from screener.reporting.pages.shadow_counts import ShadowCounts, describe_row
from screener.screening.list_policy import Mode
from screener.screening.result import Match, Verdict
from screener.system.installation import __version__, format_install
from screener.system.output_file import FileKind, open_private_text

_MAX_BINS = 60
_MAX_BARS = 30
_OUTLINE_SIDE = 120  # of a picture with an inset, in units of the page
_MAX_NAME_LENGTH = 1000  # the name of an archive's member may have 65,535 characters
_OPENING = opening("report")
_HEADINGS = ("input", "entry", "source", "list", "state", "kind", "by", "how", "where")


def write_html(results: str | PathLike[str], path: str | PathLike[str]) -> int:
    """Write the page of a file of results, readable by its owner only.

    Returns the number of lines that could not be read. Raises OutputError if no line could be read,
    or if the file at `path` is not such a page.
    """
    summary = Summary.read(Path(results))
    written = parse_mtime(Path(results).stat().st_mtime_ns)
    page = render_page(summary, Path(results).name, written=written)
    with open_private_text(path, FileKind(_OPENING, "a report")) as stream:
        stream.write(page)
    return summary.unread


def render_page(summary: Summary, name: str, *, written: datetime | None = None) -> str:
    """Return the page as HTML; `written` is the time of the last result."""
    style = files("screener.reporting.pages").joinpath("report.css").read_text(encoding="utf-8")
    sections = [
        _render_figures(summary),
        _render_section("Matches", _render_matches(summary)),
        _render_section("Other hits", _render_other_hits(summary)),
        *_render_shadow(summary.shadow),
        _render_section("Not screened", _render_unscreened(summary)),
        _render_section("Matches by the day of the file", _render_days(summary)),
        *(
            _render_section(f"Distances: {kind}", _render_distances(counts, kind, radius))
            for (kind, radius), counts in sorted(summary.distances.items())
        ),
        _render_section("What the inputs were", _render_bars(summary.types, summary.total)),
        _render_section("Slowest", _render_slowest(summary)),
        _render_section("Decided by", _render_deciders(summary)),
    ]
    return (
        f'{_OPENING}\n<html lang="en">{head(text(name), style)}<body><main>'
        f"<h1>{text(name)}</h1>\n{_render_dates(written)}{''.join(sections)}"
        f"<footer>screener {text(__version__)}. No picture and no listed hash is in this page; it"
        " names inputs and entries: keep it as you keep them.</footer></main></body></html>\n"
    )


def _render_dates(written: datetime | None) -> str:
    page_date = f"Page made on {datetime.now(UTC):%Y-%m-%d}"
    last = "" if written is None else f"; results last written {written:%Y-%m-%d %H:%M} UTC"
    return f"<p>{page_date}{last}.</p>\n"


def _render_section(title: str, body: str) -> str:
    return f"<section><h2>{text(title)}</h2>\n{body or '<p>none</p>'}</section>\n"


def _render_figures(summary: Summary) -> str:
    figures = [
        ("results", f"{summary.total:,}", ""),
        *(
            (str(verdict).replace("_", " "), f"{summary.verdicts[verdict]:,}", str(verdict))
            for verdict in (Verdict.MATCH, Verdict.NO_MATCH, Verdict.UNSCREENED)
        ),
        ("read", _format_size(summary.bytes), ""),
        ("of work", _format_duration(summary.seconds), ""),
    ]
    cells = "".join(
        f'<div class="figure {text(kind)}"><b>{text(number)}</b><span>{text(label)}</span></div>'
        for label, number, kind in figures
    )
    unread = (
        f"<p>{counted(summary.unread, 'line')} could not be read.</p>" if summary.unread else ""
    )
    older = _render_older_note(len(summary.older), summary.matched_before)
    return f'<div class="figures">{cells}</div>{older}{unread}\n'


def _render_older_note(number: int, matched: int) -> str:
    note = f"Not counted: {counted(number, 'older line')} of inputs that were screened again."
    if matched:
        note += (
            f" <strong>Matches by such a line only: {counted(matched, 'input')}</strong>. The file,"
            " the list or the policy has changed since; the file of results names them."
        )
    return f"<p>{note}</p>" if number else ""


def _render_unscreened(summary: Summary) -> str:
    extras = "".join(
        f"<p>{counted(count, 'input')} {'needs' if count == 1 else 'need'} an extra:"
        f" <code>{text(format_install(extra))}</code></p>"
        for extra, count in summary.extras.most_common()
    )
    inputs_by_reason = "".join(
        f"<h3>{text(reason)}: {count:,}</h3>"
        f"{_render_table(('input', 'why'), _render_input_rows(inputs))}"
        f"{_render_more_note(count - len(inputs))}"
        for reason, count in summary.reasons.most_common()
        if (inputs := summary.unscreened.get(reason)) is not None
    )
    return _render_bars(summary.reasons, summary.total) + extras + inputs_by_reason


def _render_input_rows(inputs: Iterable[Input]) -> str:
    return "".join(
        f"<tr><td>{_render_input_name(input)}</td><td>{text(input.detail)}</td></tr>"
        for input in inputs
    )


def _render_more_note(count: int) -> str:
    return f"<p>… and {count:,} more: the table (-o NAME.csv) has all.</p>" if count else ""


def _render_bars(counts: Counter[str], total: int) -> str:
    max_count = max(counts.values(), default=0)
    rows = "".join(
        f'<tr><th>{text(name)}</th><td class="n">{count:,}</td>'
        f'<td class="n">{100 * count / total:.1f} %</td>'
        f'<td><svg viewBox="0 0 300 12" class="bar" role="img" aria-label="{count}">'
        f'<rect width="{max(1, round(300 * count / max_count))}" height="12"/></svg></td></tr>'
        for name, count in counts.most_common(_MAX_BARS)
    )
    return f"<table>{rows}</table>" if rows else ""


def _render_distances(counts: Counter[int], kind: str, radius: int) -> str:
    if not radius:
        matches = counted(counts.total(), "match", "matches")
        return f"<p>{matches} by {text(kind)}. Digests match only if they are equal.</p>"
    width = 1 / (radius + 1)
    bars = [
        (bits * width, width, counts[bits], f"{counts[bits]} at {bits} bits")
        for bits in range(radius + 1)
    ]
    step = max(1, round(radius / 8))
    labels = [((bits + 0.5) * width, str(bits)) for bits in range(0, radius + 1, step)]
    return draw_bars(bars, labels, f"matches by distance in bits, radius {radius}") + (
        f"<p>Bits from the listed value; the policy's radius is {radius}.</p>"
    )


def _render_days(summary: Summary) -> str:
    if not summary.days:
        undated = counted(summary.undated, "file")
        return f"<p>{undated} with a match, without a time.</p>" if summary.undated else ""
    matches = Counter(
        {date.fromisoformat(day).toordinal(): count for day, count in summary.days.items()}
    )
    first, last = min(matches), max(matches)
    days_per_bin = -(-(last - first + 1) // _MAX_BINS)
    bins = -(-(last - first + 1) // days_per_bin)
    counts: Counter[int] = Counter()
    for day, count in matches.items():
        counts[(day - first) // days_per_bin] += count
    bars = [
        (
            number / bins,
            1 / bins,
            counts[number],
            f"{counts[number]} from {_format_day(first + number * days_per_bin)}",
        )
        for number in range(bins)
    ]
    labels = [(0.0, _format_day(first))]
    if first < last:
        labels.append((1.0, _format_day(last)))
    undated = f" Without a time: {summary.undated:,}." if summary.undated else ""
    return draw_bars(bars, labels, "matched files by day") + (
        "<p>Files with a match, by the time of their last change (UTC),"
        f" {counted(days_per_bin, 'day')} per bar.{undated}</p>"
    )


def _format_day(ordinal: int) -> str:
    return date.fromordinal(min(ordinal, date.max.toordinal())).isoformat()


def _render_matches(summary: Summary) -> str:
    if not summary.matches:
        return ""
    note = (
        f"{counted(summary.verdicts['match'], 'input')} with a match. Each row is an input with an"
        f" entry and the kind of hash that matches it: {_join_states(summary.states)}."
    )
    rows = "".join(f"<tr>{_render_hit_cells(hit)}</tr>" for hit in summary.matches)
    table = _render_table(_HEADINGS, rows, kind="hits")
    more = summary.states.total() - len(summary.matches)
    return f"<p>{note}</p>{table}{_render_more_note(more)}"


def _render_other_hits(summary: Summary) -> str:
    if not summary.other_hits:
        return ""
    note = (
        "Hits that neither make nor cancel a match: on seeds, on known-good records, by weak kinds"
        " alone, in shadow, and on listed videos that share only single pictures:"
        f" {_join_states(summary.other_states)}."
    )
    rows = "".join(
        f"<tr>{_render_hit_cells(hit)}<td>{text(hit.input.verdict)}</td></tr>"
        for hit in summary.other_hits
    )
    table = _render_table((*_HEADINGS, "verdict"), rows, kind="hits")
    more = summary.other_states.total() - len(summary.other_hits)
    return f"<p>{note}</p>{table}{_render_more_note(more)}"


def _render_shadow(counts: ShadowCounts) -> list[str]:
    """Return a section for each list in shadow: what enforcing it would have done."""
    sections = []
    for name, of_list in sorted(counts.lists.items()):
        also = f" {counted(of_list.also, 'other input')} matched anyway." if of_list.also else ""
        note = (
            f"Compared with it: {counted(counts.compared[name], 'input')}. Enforced, it would have"
            f" made {counted(of_list.new, 'more match', 'more matches')}.{also}"
        )
        rows = "".join(
            f"<tr><td>{text(kind)}</td><td>{text(describe_row(by, lowest))}</td>"
            f'<td class="n">{number:,}</td></tr>'
            for (kind, by, lowest), number in sorted(of_list.nearness.items())
        )
        table = _render_table(("kind", "nearest hit", "inputs"), rows) if rows else ""
        sections.append(_render_section(f"In shadow: {name}", f"<p>{note}</p>{table}"))
    return sections


def _join_states(states: Counter[str]) -> str:
    return ", ".join(f"{count:,} {text(state)}" for state, count in states.most_common())


def _render_hit_cells(hit: Hit) -> str:
    match = hit.match
    return (
        f"<td>{_render_input_name(hit.input)}</td><td><bdi>{text(match.entry)}</bdi></td>"
        f"<td>{text(match.source)}</td><td>{text(match.list)}</td><td>{text(match.state)}</td>"
        f"<td>{text(match.kind)}</td><td>{_describe_nearness(match)}</td>"
        f"<td>{_describe_way(match)}{_render_box(hit)}</td>"
        f"<td>{text(_describe_position(hit))}</td>"
    )


def _render_box(hit: Hit) -> str:
    """Return the place of an inset in its picture, as text and, if the size is known, as outlines.

    The outline of the picture has its proportions and at most 120 units a side.
    """
    if hit.match.box is None:
        return ""
    left, top, right, bottom = hit.match.box
    place = f"from {left}, {top} to {right}, {bottom}"
    if hit.size is None:
        return f"<br>{place}"
    width, height = hit.size
    scale = _OUTLINE_SIDE / max(width, height)
    outlines = "".join(
        f'<rect x="{1 + x * scale:.1f}" y="{1 + y * scale:.1f}" class="{kind}"'
        f' width="{max(1, across * scale):.1f}" height="{max(1, down * scale):.1f}"/>'
        for kind, x, y, across, down in (
            ("picture", 0, 0, width, height),
            ("box", left, top, right - left, bottom - top),
        )
    )
    sides = f"{max(1, width * scale) + 2:.1f}", f"{max(1, height * scale) + 2:.1f}"
    label = f"The inset lies {place} in a picture of {width} by {height} pixels."
    return (
        f'<br>{place} of {width} × {height}<br><svg class="outline" role="img"'
        f' viewBox="0 0 {" ".join(sides)}" width="{sides[0]}" height="{sides[1]}"'
        f' aria-label="{label}">{outlines}</svg>'
    )


def _describe_nearness(match: Match) -> str:
    if match.evidence is None:
        return f"distance {match.distance}"
    return f"evidence {match.evidence:.0f}, threshold {match.threshold}"


def _describe_way(match: Match) -> str:
    way = [match.orientation, match.region]
    if match.view is not None:
        way.append(match.view)
    if match.shadow:
        way.append("shadow")
    if match.derived:
        way.append("derived from a hash")
    return text(", ".join(way))


def _render_input_name(input: Input) -> str:
    """Return the name of an input, so that it differs from all others.

    A name that is not UTF-8 is also shown in base64. A member of an archive is shown with the
    archive and the number of earlier members of its name.
    """
    cell = f"<bdi>{_shorten(input.input)}</bdi>"
    if input.input_base64 is not None:
        cell += f"<br>in base64 {_shorten(input.input_base64)}"
    if input.archive is not None:
        cell += f"<br>in the archive <bdi>{_shorten(input.archive)}</bdi>"
    if input.same:
        cell += f", earlier members of its name: {', '.join(map(str, input.same))}"
    return cell


def _shorten(name: str) -> str:
    excess = len(name) - _MAX_NAME_LENGTH
    more = f" … and {counted(excess, 'character')} more" if excess > 0 else ""
    return text(name[:_MAX_NAME_LENGTH]) + more


def _describe_position(hit: Hit) -> str:
    match = hit.match
    part_kind = "" if match.part_kind == "frame" else f" ({match.part_kind})"
    if hit.spans is None:
        return f"part {match.part}{part_kind}, {match.time} s"
    input_span, listed_span = (" to ".join(map(str, span)) for span in hit.spans)
    return f"{input_span} s{part_kind}, like {listed_span} s of the entry"


def _render_slowest(summary: Summary) -> str:
    rows = "".join(
        f'<tr><td class="n">{seconds:.3f} s</td><td>{text(verdict)}</td>'
        f"<td><bdi>{_shorten(name)}</bdi></td></tr>"
        for seconds, name, verdict in summary.slowest
        if seconds
    )
    return _render_table(("time", "verdict", "input"), rows) if rows else ""


def _render_deciders(summary: Summary) -> str:
    rows = "".join(
        f"<tr><th>{text(heading)}</th><td><bdi>{text(name)}</bdi></td>"
        f'<td class="n">{count:,}</td></tr>'
        for heading, counts in (
            (
                "list",
                Counter({_describe_list(*state): count for state, count in summary.lists.items()}),
            ),
            ("effort", summary.efforts),
            ("policy", summary.policies),
            ("versions", summary.versions),
        )
        for name, count in sorted(counts.items())
    )
    return _render_table(("", "", "results"), rows)


def _describe_list(name: str, generation: int, stamp: str, mode: str) -> str:
    shown = f"{name}, generation {generation}" + (f" ({stamp})" if stamp else "")
    return shown if mode == Mode.ENFORCE else f"{shown}, {mode}"


def _render_table(headings: Iterable[str], rows: str, *, kind: str = "few") -> str:
    cells = "".join(f"<th>{text(heading)}</th>" for heading in headings)
    head = f"<thead><tr>{cells}</tr></thead>"
    return f'<div class="wide"><table class="{kind}">{head}{rows}</table></div>'


def _format_size(number: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:,.0f} {unit}" if unit == "bytes" else f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"


def _format_duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:,.1f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
