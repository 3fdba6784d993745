"""Report: a file of results for people, as one HTML page.

The page stands alone: no script, nothing that is loaded, no picture, no hash. Whatever comes from a
file or a list is text in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from importlib.resources import files
from os import PathLike
from pathlib import Path

from screener.claim import Sort, private_text
from screener.extras import install
from screener.report.bar_chart import draw_bars
from screener.report.html_page import head, opening, text
from screener.report.summary import Named, Summary
from screener.result import Verdict
from screener.version import __version__

_BINS = 60
_OPENING = opening("report")


def write_html(results: str | PathLike[str], path: str | PathLike[str]) -> int:
    """Write the page of a file of results, readable by you only; how many lines could not be read.

    OutputError where it is no such file, or the page would be written over something else.
    """
    found = Summary.of(Path(results))
    page = page_of(found, Path(results).name)
    with private_text(path, Sort(_OPENING, "a report")) as stream:
        stream.write(page)
    return found.unread


def page_of(found: Summary, name: str) -> str:
    """The page: a string of HTML."""
    style = files("screener.report").joinpath("report.css").read_text(encoding="utf-8")
    sections = [
        _numbers(found),
        _section("Why inputs were not screened", _reasons(found)),
        _section("Matches by the day of the file", _days(found)),
        *(
            _section(f"Distances: {kind}", _distances(counts, kind, radius))
            for (kind, radius), counts in sorted(found.distances.items())
        ),
        _section("Matches", _matches(found)),
        _section("What the inputs were", _bars(found.types, found.total)),
        _section("Slowest", _slowest(found)),
        _section("Decided by", _decided(found)),
    ]
    return (
        f'{_OPENING}\n<html lang="en">{head(text(name), style)}<body><main>'
        f"<h1>{text(name)}</h1>\n{''.join(sections)}"
        f"<footer>screener {text(__version__)}. No picture and no listed hash is in this page; it"
        " names inputs and entries: keep it as you keep them.</footer></main></body></html>\n"
    )


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
    unread = f"<p>{found.unread:,} lines could not be read.</p>" if found.unread else ""
    older = _older(len(found.older), found.matched_before)
    return f'<div class="figures">{cells}</div>{older}{unread}\n'


def _older(number: int, matched: int) -> str:
    said = f"{number:,} older lines, of inputs that were screened again, do not count."
    if matched:
        said += (
            f" <strong>{matched:,} inputs match by such a line</strong>, not by their newest one:"
            " the file, the list or the policy was another then; the file of results names them."
        )
    return f"<p>{said}</p>" if number else ""


def _reasons(found: Summary) -> str:
    """A bar a reason, and what to install where that would mend some."""
    extras = "".join(
        f"<p>{n:,} need an extra: <code>{text(install(extra))}</code></p>"
        for extra, n in found.extras.most_common()
    )
    return _bars(found.reasons, found.total) + extras


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
        said = _counted(counts.total(), "match", "matches")
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
        said = _counted(found.undated, "file", "files")
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
    undated = f" {found.undated:,} are without a time." if found.undated else ""
    return draw_bars(bars, labels, "matched files by day") + (
        f"<p>Files with a match, by the time of their last change (UTC), {days} day"
        f"{'s' if days > 1 else ''} a bar.{undated}</p>"
    )


def _day(ordinal: int) -> str:
    return date.fromordinal(min(ordinal, date.max.toordinal())).isoformat()


def _matches(found: Summary) -> str:
    if not found.matches:
        return ""
    heads = ("input", "entry", "source", "list", "state", "kind", "distance", "how", "where")
    rows = "".join(
        "<tr>"
        f"<td><bdi>{text(m.input)}</bdi>{_name(m)}</td><td><bdi>{text(m.entry)}</bdi></td>"
        f"<td>{text(m.source)}</td><td>{text(m.list)}</td><td>{text(m.state)}</td>"
        f'<td>{text(m.kind)}</td><td class="n">{m.distance}</td>'
        f"<td>{text(m.orientation)}, {text(m.region)}</td><td>{text(_where(m))}</td></tr>"
        for m in found.matches
    )
    total = found.states.total()
    rest = total - len(found.matches)
    more = f"<p>… and {rest:,} more.</p>" if rest else ""
    states = ", ".join(f"{n:,} {text(state)}" for state, n in found.states.most_common())
    said = (
        f"{_counted(found.verdicts['match'], 'input', 'inputs')} with a match. A row for each entry"
        f" and kind of hash by which one matches: {states}."
    )
    return f"<p>{said}</p>" + _table(heads, rows) + more


def _counted(n: int, one: str, many: str) -> str:
    return f"{n:,} {one if n == 1 else many}"


def _name(match: Named) -> str:
    """What else tells an input from others: the bytes of a name that is not UTF-8; in which archive
    a member is, whose name a file may have too, and behind how many of its name.
    """
    raw, archive = match.input_base64, match.archive
    told = "" if raw is None else f"<br>in base64 {text(raw)}"
    if archive is not None:
        told += f"<br>in the archive <bdi>{text(archive)}</bdi>"
    if match.same:
        told += f", behind members of its name: {', '.join(map(str, match.same))}"
    return told


def _where(match: Named) -> str:
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
        f"<td><bdi>{text(name)}</bdi></td></tr>"
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


def _table(heads: Iterable[str], rows: str) -> str:
    cells = "".join(f"<th>{text(head)}</th>" for head in heads)
    return f'<div class="wide"><table><thead><tr>{cells}</tr></thead>{rows}</table></div>'


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
