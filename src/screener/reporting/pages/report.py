"""A file of results as one HTML page, without scripts, pictures or hashes."""

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
from screener.reporting.pages.result_file import moment
from screener.reporting.pages.summary import Hit, Input, Summary
from screener.screening.result import Verdict
from screener.system.installation import __version__, format_install
from screener.system.output_file import FileKind, open_private_text

_BINS = 60
_LONGEST_NAME = 1000  # characters shown; a member of an archive may have 65,535
_OPENING = opening("report")
_HEADS = ("input", "entry", "source", "list", "state", "kind", "distance", "how", "where")


def write_html(results: str | PathLike[str], path: str | PathLike[str]) -> int:
    """Write the page of a file of results, readable by its owner only.

    Return how many lines could not be read. Raises OutputError if none could, or the page would
    overwrite anything but such a page.
    """
    summary = Summary.of(Path(results))
    page = page_of(summary, Path(results).name, written=moment(Path(results).stat().st_mtime_ns))
    with open_private_text(path, FileKind(_OPENING, "a report")) as stream:
        stream.write(page)
    return summary.unread


def page_of(summary: Summary, name: str, *, written: datetime | None = None) -> str:
    """Return the page as HTML; `written` is when the results were last written to."""
    style = files("screener.reporting.pages").joinpath("report.css").read_text(encoding="utf-8")
    sections = [
        _numbers(summary),
        _section("Matches", _matches(summary)),
        _section("Other hits", _other_hits(summary)),
        _section("Not screened", _unscreened(summary)),
        _section("Matches by the day of the file", _days(summary)),
        *(
            _section(f"Distances: {kind}", _distances(counts, kind, radius))
            for (kind, radius), counts in sorted(summary.distances.items())
        ),
        _section("What the inputs were", _bars(summary.types, summary.total)),
        _section("Slowest", _slowest(summary)),
        _section("Decided by", _decided(summary)),
    ]
    return (
        f'{_OPENING}\n<html lang="en">{head(text(name), style)}<body><main>'
        f"<h1>{text(name)}</h1>\n{_dates(written)}{''.join(sections)}"
        f"<footer>screener {text(__version__)}. No picture and no listed hash is in this page; it"
        " names inputs and entries: keep it as you keep them.</footer></main></body></html>\n"
    )


def _dates(written: datetime | None) -> str:
    made = f"Page made on {datetime.now(UTC):%Y-%m-%d}"
    last = "" if written is None else f"; results last written {written:%Y-%m-%d %H:%M} UTC"
    return f"<p>{made}{last}.</p>\n"


def _section(title: str, body: str) -> str:
    return f"<section><h2>{text(title)}</h2>\n{body or '<p>none</p>'}</section>\n"


def _numbers(summary: Summary) -> str:
    figures = [
        ("results", f"{summary.total:,}", ""),
        *(
            (str(v).replace("_", " "), f"{summary.verdicts[v]:,}", str(v))
            for v in (Verdict.MATCH, Verdict.NO_MATCH, Verdict.UNSCREENED)
        ),
        ("read", _size(summary.bytes), ""),
        ("of work", _duration(summary.seconds), ""),
    ]
    cells = "".join(
        f'<div class="figure {text(kind)}"><b>{text(number)}</b><span>{text(label)}</span></div>'
        for label, number, kind in figures
    )
    unread = (
        f"<p>{counted(summary.unread, 'line')} could not be read.</p>" if summary.unread else ""
    )
    older = _older(len(summary.older), summary.matched_before)
    return f'<div class="figures">{cells}</div>{older}{unread}\n'


def _older(number: int, matched: int) -> str:
    note = f"Not counted: {counted(number, 'older line')} of inputs that were screened again."
    if matched:
        note += (
            f" <strong>Matches by such a line only: {counted(matched, 'input')}</strong>. The file,"
            " the list or the policy has changed since; the file of results names them."
        )
    return f"<p>{note}</p>" if number else ""


def _unscreened(summary: Summary) -> str:
    """Return a bar per reason, the extras to install, and inputs of each reason."""
    extras = "".join(
        f"<p>{counted(n, 'input')} {'needs' if n == 1 else 'need'} an extra:"
        f" <code>{text(format_install(extra))}</code></p>"
        for extra, n in summary.extras.most_common()
    )
    named = "".join(
        f"<h3>{text(reason)}: {n:,}</h3>{_table(('input', 'why'), _rows(inputs))}"
        f"{_more(n - len(inputs))}"
        for reason, n in summary.reasons.most_common()
        if (inputs := summary.unscreened.get(reason)) is not None
    )
    return _bars(summary.reasons, summary.total) + extras + named


def _rows(inputs: Iterable[Input]) -> str:
    return "".join(f"<tr><td>{_name(one)}</td><td>{text(one.detail)}</td></tr>" for one in inputs)


def _more(rest: int) -> str:
    return f"<p>… and {rest:,} more: the table (-o NAME.csv) has all.</p>" if rest else ""


def _bars(counts: Counter[str], total: int) -> str:
    """Return a bar per name, the longest first."""
    top = max(counts.values(), default=0)
    rows = "".join(
        f'<tr><th>{text(name)}</th><td class="n">{n:,}</td><td class="n">{100 * n / total:.1f} %'
        f'</td><td><svg viewBox="0 0 300 12" class="bar" role="img" aria-label="{n}">'
        f'<rect width="{max(1, round(300 * n / top))}" height="12"/></svg></td></tr>'
        for name, n in counts.most_common(30)
    )
    return f"<table>{rows}</table>" if rows else ""


def _distances(counts: Counter[int], kind: str, radius: int) -> str:
    if not radius:
        matches = counted(counts.total(), "match", "matches")
        return f"<p>{matches} by {text(kind)}. Digests match only if they are equal.</p>"
    width = 1 / (radius + 1)
    bars = [(d * width, width, counts[d], f"{counts[d]} at {d} bits") for d in range(radius + 1)]
    step = max(1, round(radius / 8))
    labels = [((d + 0.5) * width, str(d)) for d in range(0, radius + 1, step)]
    return draw_bars(bars, labels, f"matches by distance in bits, radius {radius}") + (
        f"<p>Bits from the listed value; the policy's radius is {radius}.</p>"
    )


def _days(summary: Summary) -> str:
    if not summary.days:
        undated = counted(summary.undated, "file")
        return f"<p>{undated} with a match, without a time.</p>" if summary.undated else ""
    numbers = Counter({date.fromisoformat(day).toordinal(): n for day, n in summary.days.items()})
    first, last = min(numbers), max(numbers)
    days = -(-(last - first + 1) // _BINS)  # per bin
    bins = -(-(last - first + 1) // days)
    counts: Counter[int] = Counter()
    for day, n in numbers.items():
        counts[(day - first) // days] += n
    bars = [
        (b / bins, 1 / bins, counts[b], f"{counts[b]} from {_day(first + b * days)}")
        for b in range(bins)
    ]
    labels = [(0.0, _day(first)), (1.0, _day(last))] if first < last else [(0.0, _day(first))]
    undated = f" Without a time: {summary.undated:,}." if summary.undated else ""
    return draw_bars(bars, labels, "matched files by day") + (
        "<p>Files with a match, by the time of their last change (UTC),"
        f" {counted(days, 'day')} per bar.{undated}</p>"
    )


def _day(ordinal: int) -> str:
    return date.fromordinal(min(ordinal, date.max.toordinal())).isoformat()


def _matches(summary: Summary) -> str:
    if not summary.matches:
        return ""
    note = (
        f"{counted(summary.verdicts['match'], 'input')} with a match. Each row is an input with an"
        f" entry and the kind of hash that matches it: {_states(summary.states)}."
    )
    table = _table(_HEADS, "".join(f"<tr>{_hit(one)}</tr>" for one in summary.matches), kind="hits")
    return f"<p>{note}</p>{table}{_more(summary.states.total() - len(summary.matches))}"


def _other_hits(summary: Summary) -> str:
    if not summary.other_hits:
        return ""
    note = (
        "Hits that neither make nor cancel a match: on seeds, on known-good records, and on listed"
        f" videos that share only single pictures: {_states(summary.other_states)}."
    )
    rows = "".join(
        f"<tr>{_hit(one)}<td>{text(one.of.verdict)}</td></tr>" for one in summary.other_hits
    )
    table = _table((*_HEADS, "verdict"), rows, kind="hits")
    return f"<p>{note}</p>{table}{_more(summary.other_states.total() - len(summary.other_hits))}"


def _states(states: Counter[str]) -> str:
    return ", ".join(f"{n:,} {text(state)}" for state, n in states.most_common())


def _hit(hit: Hit) -> str:
    return (
        f"<td>{_name(hit.of)}</td><td><bdi>{text(hit.entry)}</bdi></td>"
        f"<td>{text(hit.source)}</td><td>{text(hit.list)}</td><td>{text(hit.state)}</td>"
        f'<td>{text(hit.kind)}</td><td class="n">{hit.distance}</td>'
        f"<td>{text(hit.orientation)}, {text(hit.region)}</td><td>{text(_where(hit))}</td>"
    )


def _name(input: Input) -> str:
    """Return the name of an input and what distinguishes it from others of that name.

    That is the base64 of a name that is not UTF-8, and for a member of an archive, the archive and
    the number of earlier members with its name.
    """
    raw, archive = input.input_base64, input.archive
    cell = f"<bdi>{_cut(input.input)}</bdi>"
    cell += "" if raw is None else f"<br>in base64 {_cut(raw)}"
    if archive is not None:
        cell += f"<br>in the archive <bdi>{_cut(archive)}</bdi>"
    if input.same:
        cell += f", earlier members of its name: {', '.join(map(str, input.same))}"
    return cell


def _cut(name: str) -> str:
    rest = len(name) - _LONGEST_NAME
    more = f" … and {counted(rest, 'character')} more" if rest > 0 else ""
    return text(name[:_LONGEST_NAME]) + more


def _where(match: Hit) -> str:
    """Return the part and time of a match; for a listed video the seconds of both videos."""
    hidden = "" if match.part_kind == "frame" else f" ({match.part_kind})"
    if match.spans is None:
        return f"part {match.part}{hidden}, {match.time} s"
    here, there = (" to ".join(map(str, span)) for span in match.spans)
    return f"{here} s{hidden}, like {there} s of the entry"


def _slowest(summary: Summary) -> str:
    rows = "".join(
        f'<tr><td class="n">{seconds:.3f} s</td><td>{text(verdict)}</td>'
        f"<td><bdi>{_cut(name)}</bdi></td></tr>"
        for seconds, name, verdict in summary.slowest
        if seconds
    )
    return _table(("time", "verdict", "input"), rows) if rows else ""


def _decided(summary: Summary) -> str:
    rows = "".join(
        f'<tr><th>{text(heading)}</th><td><bdi>{text(name)}</bdi></td><td class="n">{n:,}</td></tr>'
        for heading, counts in (
            ("list", Counter({_list(*one): n for one, n in summary.lists.items()})),
            ("policy", summary.policies),
            ("versions", summary.versions),
        )
        for name, n in sorted(counts.items())
    )
    return _table(("", "", "results"), rows)


def _list(name: str, generation: int, stamp: str) -> str:
    return f"{name}, generation {generation}" + (f" ({stamp})" if stamp else "")


def _table(heads: Iterable[str], rows: str, *, kind: str = "few") -> str:
    cells = "".join(f"<th>{text(head)}</th>" for head in heads)
    head = f"<thead><tr>{cells}</tr></thead>"
    return f'<div class="wide"><table class="{kind}">{head}{rows}</table></div>'


def _size(number: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:,.0f} {unit}" if unit == "bytes" else f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:,.1f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
