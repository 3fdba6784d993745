"""Report: a file of results for people, as one HTML page.

The page stands alone: no script, nothing that is loaded, no picture, no hash. Whatever comes from a
file or a list is text in it.
"""

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
from screener.system.installation import __version__, install
from screener.system.output_file import FileKind, private_text

_BINS = 60
_LONGEST_NAME = 1000  # characters that are shown; a member of an archive may have 65,535
_OPENING = opening("report")
_HEADS = ("input", "entry", "source", "list", "state", "kind", "distance", "how", "where")


def write_html(results: str | PathLike[str], path: str | PathLike[str]) -> int:
    """Write the page of a file of results, readable by you only; how many lines could not be read.

    OutputError where it is no such file, or the page would be written over something else.
    """
    found = Summary.of(Path(results))
    page = page_of(found, Path(results).name, written=moment(Path(results).stat().st_mtime_ns))
    with private_text(path, FileKind(_OPENING, "a report")) as stream:
        stream.write(page)
    return found.unread


def page_of(found: Summary, name: str, *, written: datetime | None = None) -> str:
    """Return the page, as HTML; `written` is when the results were last written to."""
    style = files("screener.reporting.pages").joinpath("report.css").read_text(encoding="utf-8")
    sections = [
        _numbers(found),
        _section("Matches", _matches(found)),
        _section("Other hits", _other_hits(found)),
        _section("Not screened", _unscreened(found)),
        _section("Matches by the day of the file", _days(found)),
        *(
            _section(f"Distances: {kind}", _distances(counts, kind, radius))
            for (kind, radius), counts in sorted(found.distances.items())
        ),
        _section("What the inputs were", _bars(found.types, found.total)),
        _section("Slowest", _slowest(found)),
        _section("Decided by", _decided(found)),
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


def _numbers(found: Summary) -> str:
    figures = [
        ("results", f"{found.total:,}", ""),
        *(
            (str(v).replace("_", " "), f"{found.verdicts[v]:,}", str(v))
            for v in (Verdict.MATCH, Verdict.NO_MATCH, Verdict.UNSCREENED)
        ),
        ("read", _size(found.bytes), ""),
        ("of workers", _duration(found.seconds), ""),
    ]
    cells = "".join(
        f'<div class="figure {text(kind)}"><b>{text(number)}</b><span>{text(label)}</span></div>'
        for label, number, kind in figures
    )
    unread = f"<p>{counted(found.unread, 'line')} could not be read.</p>" if found.unread else ""
    older = _older(len(found.older), found.matched_before)
    return f'<div class="figures">{cells}</div>{older}{unread}\n'


def _older(number: int, matched: int) -> str:
    said = f"Not counted: {counted(number, 'older line')}, of inputs that were screened again."
    if matched:
        said += (
            f" <strong>Matches by such a line only: {counted(matched, 'input')}</strong>. The file,"
            " the list or the policy was another then; the file of results names them."
        )
    return f"<p>{said}</p>" if number else ""


def _unscreened(found: Summary) -> str:
    """A bar a reason, what to install if that would mend some, and inputs of each reason."""
    extras = "".join(
        f"<p>{counted(n, 'input')} {'needs' if n == 1 else 'need'} an extra:"
        f" <code>{text(install(extra))}</code></p>"
        for extra, n in found.extras.most_common()
    )
    named = "".join(
        f"<h3>{text(reason)}: {n:,}</h3>{_table(('input', 'why'), _rows(found.unscreened[reason]))}"
        f"{_more(n - len(found.unscreened[reason]))}"
        for reason, n in found.reasons.most_common()
        if reason in found.unscreened
    )
    return _bars(found.reasons, found.total) + extras + named


def _rows(inputs: Iterable[Input]) -> str:
    return "".join(f"<tr><td>{_name(one)}</td><td>{text(one.detail)}</td></tr>" for one in inputs)


def _more(rest: int) -> str:
    return f"<p>… and {rest:,} more: the table (-o NAME.csv) has all.</p>" if rest else ""


def _bars(counts: Counter[str], total: int) -> str:
    """A bar a name, the longest first."""
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
        said = counted(counts.total(), "match", "matches")
        return f"<p>{said} by {text(kind)}. A digest is equal, or it is no match.</p>"
    width = 1 / (radius + 1)
    bars = [(d * width, width, counts[d], f"{counts[d]} at {d} bits") for d in range(radius + 1)]
    step = max(1, round(radius / 8))
    labels = [((d + 0.5) * width, str(d)) for d in range(0, radius + 1, step)]
    return draw_bars(bars, labels, f"matches by distance in bits, radius {radius}") + (
        f"<p>Bits from the listed value; the policy's radius is {radius}.</p>"
    )


def _days(found: Summary) -> str:
    if not found.days:
        said = counted(found.undated, "file")
        return f"<p>{said} with a match, without a time.</p>" if found.undated else ""
    numbers = Counter({date.fromisoformat(day).toordinal(): n for day, n in found.days.items()})
    first, last = min(numbers), max(numbers)
    days = -(-(last - first + 1) // _BINS)  # in a bin
    bins = -(-(last - first + 1) // days)
    counts: Counter[int] = Counter()
    for day, n in numbers.items():
        counts[(day - first) // days] += n
    bars = [
        (b / bins, 1 / bins, counts[b], f"{counts[b]} from {_day(first + b * days)}")
        for b in range(bins)
    ]
    labels = [(0.0, _day(first)), (1.0, _day(last))] if first < last else [(0.0, _day(first))]
    undated = f" Without a time: {found.undated:,}." if found.undated else ""
    return draw_bars(bars, labels, "matched files by day") + (
        "<p>Files with a match, by the time of their last change (UTC),"
        f" {counted(days, 'day')} a bar.{undated}</p>"
    )


def _day(ordinal: int) -> str:
    return date.fromordinal(min(ordinal, date.max.toordinal())).isoformat()


def _matches(found: Summary) -> str:
    if not found.matches:
        return ""
    said = (
        f"{counted(found.verdicts['match'], 'input')} with a match. A row for each entry and kind"
        f" of hash by which one matches: {_states(found.states)}."
    )
    table = _table(_HEADS, "".join(f"<tr>{_hit(one)}</tr>" for one in found.matches), kind="hits")
    return f"<p>{said}</p>{table}{_more(found.states.total() - len(found.matches))}"


def _other_hits(found: Summary) -> str:
    if not found.other_hits:
        return ""
    said = (
        "Hits that neither make nor cancel a match: on seeds and known-good records, and on listed"
        f" videos of which only single pictures were seen: {_states(found.other_states)}."
    )
    rows = "".join(
        f"<tr>{_hit(one)}<td>{text(one.of.verdict)}</td></tr>" for one in found.other_hits
    )
    table = _table((*_HEADS, "verdict"), rows, kind="hits")
    return f"<p>{said}</p>{table}{_more(found.other_states.total() - len(found.other_hits))}"


def _states(states: Counter[str]) -> str:
    return ", ".join(f"{n:,} {text(state)}" for state, n in states.most_common())


def _hit(hit: Hit) -> str:
    """The cells of a hit."""
    return (
        f"<td>{_name(hit.of)}</td><td><bdi>{text(hit.entry)}</bdi></td>"
        f"<td>{text(hit.source)}</td><td>{text(hit.list)}</td><td>{text(hit.state)}</td>"
        f'<td>{text(hit.kind)}</td><td class="n">{hit.distance}</td>'
        f"<td>{text(hit.orientation)}, {text(hit.region)}</td><td>{text(_where(hit))}</td>"
    )


def _name(one: Input) -> str:
    """The name of an input, and what else tells it from others: the bytes of a name that is not
    UTF-8; in which archive a member is, whose name a file may have too, and behind how many of its
    name.
    """
    raw, archive = one.input_base64, one.archive
    told = f"<bdi>{_cut(one.input)}</bdi>"
    told += "" if raw is None else f"<br>in base64 {_cut(raw)}"
    if archive is not None:
        told += f"<br>in the archive <bdi>{_cut(archive)}</bdi>"
    if one.same:
        told += f", behind members of its name: {', '.join(map(str, one.same))}"
    return told


def _cut(name: str) -> str:
    rest = len(name) - _LONGEST_NAME
    more = f" … and {counted(rest, 'character')} more" if rest > 0 else ""
    return text(name[:_LONGEST_NAME]) + more


def _where(match: Hit) -> str:
    """The part and time of a match, and what kind of part it is where no viewer shows it; of a
    listed video the seconds of both.
    """
    hidden = "" if match.part_kind == "frame" else f" ({match.part_kind})"
    if match.spans is None:
        return f"part {match.part}{hidden}, {match.time} s"
    here, there = (" to ".join(map(str, span)) for span in match.spans)
    return f"{here} s{hidden}, which are {there} s of it"


def _slowest(found: Summary) -> str:
    rows = "".join(
        f'<tr><td class="n">{seconds:.3f} s</td><td>{text(verdict)}</td>'
        f"<td><bdi>{_cut(name)}</bdi></td></tr>"
        for seconds, name, verdict in found.slowest
        if seconds
    )
    return _table(("time", "verdict", "input"), rows) if rows else ""


def _decided(found: Summary) -> str:
    rows = "".join(
        f'<tr><th>{text(what)}</th><td><bdi>{text(name)}</bdi></td><td class="n">{n:,}</td></tr>'
        for what, counts in (
            ("list", Counter({_list(*one): n for one, n in found.lists.items()})),
            ("policy", found.policies),
            ("versions", found.versions),
        )
        for name, n in sorted(counts.items())
    )
    return _table(("", "", "results"), rows)


def _list(name: str, generation: int, stamp: str) -> str:
    """A generation of a list, told from those of others of its name."""
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
