"""The figures of `bench --synthetic` as a table and as an HTML page, which loads nothing."""

from __future__ import annotations

from importlib.resources import files
from typing import Final, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from screener.cli.bench_contestants import Speed
from screener.cli.synthetic_bench import SyntheticReport
from screener.errors import counted, printable
from screener.reporting.pages.charts import LogBar, draw_log_bars
from screener.reporting.pages.html import head, opening, text
from screener.system.output_file import FileKind

_OPENING = opening("bench")
PAGE: Final = FileKind(_OPENING, "such a page")

_HEADINGS: Final = (
    "look-ups", "threads", "a second", "µs each", "p50 µs", "p99 µs", "× FAISS Flat",
)  # fmt: skip
_GROUPS: Final = {
    "screener": "screener",
    "faiss": "FAISS IndexBinaryFlat, exact",
    "floor": "floor: reading memory, nothing else",
}
_STYLE: Final = """
main { max-width: 70rem } td:first-child { overflow-wrap: normal }
.wide td, .wide thead th { white-space: nowrap } th.n { text-align: right }
th.group { font-weight: 600; padding-top: .8rem } .figures { margin-top: 1rem }
.wide .chart { min-width: 44rem } .chart .name { text-anchor: end } .chart text { font-size: 12px }
.chart rect.faiss { fill: var(--open) } .chart rect.floor { fill: var(--soft) }
"""
_NOT_SHOWN: Final = (
    "Not shown: a real list, whose codes have neighbours and are searched more slowly"
    " (`screener bench LIST`), and a list on a cold disk."
)
_BUSY: Final = (
    "Other programs were running: every figure is worse than this machine's, except the medians of"
    " single calls."
)


class _Row(NamedTuple):
    """A speed in words."""

    speed: Speed
    label: str
    cells: tuple[str, ...]


def print_report(out: Console, report: SyntheticReport) -> None:
    """Print the machine, the index and the table."""
    for line in _describe(report):
        out.print(escape(printable(line)), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for number, heading in enumerate(_HEADINGS):
        table.add_column(heading, justify="right" if number else "left")
    for engine, rows in _group_rows(report):
        table.add_row(_GROUPS[engine])
        for row in rows:
            table.add_row(f"  {row.label}", *row.cells)
    out.print(table)
    for line in _explain(report):
        out.print(escape(line), soft_wrap=True)


def render_page(report: SyntheticReport) -> str:
    """Return the page as HTML."""
    title = f"Look-ups in {report.codes:,} codes"
    style = files("screener.reporting.pages").joinpath("report.css").read_text(encoding="utf-8")
    rates = [
        LogBar(row.speed.engine, _name_bar(row), row.speed.per_s, f"{row.cells[1]} a second")
        for _, rows in _group_rows(report)
        for row in rows
    ]
    times = [
        LogBar(row.speed.engine, _name_bar(row), row.speed.p99_us or row.speed.p50_us,
               _format_times(row.speed), start=row.speed.p50_us)
        for _, rows in _group_rows(report)
        for row in rows
        if row.speed.p50_us is not None
    ]  # fmt: skip
    figures = "".join(
        f'<div class="figure"><b>{text(number)}</b><span>{text(label)}</span></div>'
        for number, label in _list_figures(report)
    )
    notes = "".join(f"<p>{text(line)}</p>" for line in _explain(report))
    return (
        f'{_OPENING}\n<html lang="en">{head(text(title), style + _STYLE)}<body><main>'
        f"<h1>{text(title)}</h1>\n"
        f"{''.join(f'<p>{text(line)}</p>' for line in _describe(report))}\n"
        f'<div class="figures">{figures}</div>\n'
        "<section><h2>Look-ups a second</h2>"
        f'<div class="wide">{draw_log_bars(rates, "look-ups a second")}</div></section>\n'
        "<section><h2>Microseconds of a single call, p50 to p99</h2>"
        f'<div class="wide">{draw_log_bars(times, "microseconds")}</div></section>\n'
        f"<section><h2>All figures</h2>{_render_table(report)}{notes}</section>"
        "</main></body></html>\n"
    )


def _describe(report: SyntheticReport) -> list[str]:
    """Return lines about the machine and the index."""
    machine = report.machine
    engines = ", ".join(
        f"{name} {machine[name]}"
        for name in ("screener", "kernel", "python", "numpy", "faiss")
        if name in machine
    )
    rate = report.codes / report.build_s if report.build_s else 0
    return [
        f"{machine['processor']}, {counted(int(machine['cores']), 'core')},"
        f" {int(machine['memory_bytes']) / 1e9:.0f} GB of memory, {machine['system']}; {engines}",
        f"{report.codes:,} random codes of {report.bits} bits, radius {report.radius};"
        " a miss is a random query, a hit lies within the radius of a code",
        f"built in {report.build_s:.2f} s on {counted(report.build_threads, 'thread')}"
        f" ({rate:,.0f} codes a second); {report.index_bytes / 1e6:,.1f} MB,"
        f" {report.index_bytes / report.codes:.0f} bytes a code;"
        f" peak of this process {report.peak_bytes / 1e6:,.0f} MB",
        f"answers compared: {counted(report.compared, 'query', 'queries')} with"
        f" {counted(report.found, 'hit')}, equal to a full comparison by NumPy"
        f"{' and to FAISS' if report.left_out is None else ''}",
    ]


def _explain(report: SyntheticReport) -> list[str]:
    """Return how to read the table."""
    lines = "" if report.lines is None else f" ({report.lines:,.0f} on average)"
    return [
        "single: one query a call, from Python; its a second is of all threads together."
        f" ways: {_describe_ways(report)}",
        f"cache lines: what a look-up has to read{lines}, in its order, with the best of three"
        " prefetch hints; all codes: what a scan of every code has to read",
        *([report.left_out] if report.left_out else []),
        *([_BUSY] if report.load > int(report.machine["cores"]) / 2 else []),
        _NOT_SHOWN,
    ]


def _describe_ways(report: SyntheticReport) -> str:
    ways = {
        f"{'single' if speed.batch == 1 else f'batches of {speed.batch:,}'} {speed.way}": None
        for speed in report.speeds
        if speed.way is not None and speed.what != "scan"
    }
    return ", ".join(ways)


def _list_figures(report: SyntheticReport) -> list[tuple[str, str]]:
    """Return the figures that a reader looks for first."""
    own = [speed for speed in report.speeds if speed.engine == "screener"]
    single = next(speed for speed in own if speed.what == "single")
    best = max(own, key=lambda speed: speed.per_s)
    reads = max((speed.per_s for speed in report.speeds if speed.what == "codes"), default=0.0)
    figures = [
        (
            f"{_format_us(single.p50_us)} µs",
            f"p50 of a single look-up, p99 {_format_us(single.p99_us)}",
        ),
        (
            f"{best.per_s:,.0f}",
            f"look-ups a second, {best.what} on {counted(best.threads, 'thread')}",
        ),
        (f"{report.index_bytes / 1e6:,.0f} MB", "index"),
        (f"{report.build_s:.2f} s", "to build it"),
        (f"{reads * report.code_bytes / 1e9:.1f} GB/s", "read from the codes"),
    ]
    times = report.times_faiss(single)
    rival = "as fast as FAISS IndexBinaryFlat, single"
    return figures if times is None else [*figures, (f"{times:,.0f} ×", rival)]


def _group_rows(report: SyntheticReport) -> list[tuple[str, list[_Row]]]:
    rows = [_make_row(report, speed) for speed in report.speeds]
    grouped = [(engine, [row for row in rows if row.speed.engine == engine]) for engine in _GROUPS]
    return [(engine, some) for engine, some in grouped if some]


def _make_row(report: SyntheticReport, speed: Speed) -> _Row:
    times = report.times_faiss(speed)
    cells = (
        str(speed.threads),
        f"{speed.per_s:,.0f}",
        _format_us(speed.us),
        _format_us(speed.p50_us),
        _format_us(speed.p99_us),
        "-" if times is None else f"{times:,.1f}" if times < 10 else f"{times:,.0f}",
    )
    return _Row(speed, _label(report, speed), cells)


def _label(report: SyntheticReport, speed: Speed) -> str:
    if speed.what == "lines":
        return "cache lines of a look-up"
    if speed.what == "codes":
        rate = speed.per_s * report.code_bytes / 1e9
        return f"all codes, {rate:,.1f} GB/s"
    what = {"single": "single", "batch": f"batch of {speed.batch:,}", "scan": "linear scan, single"}
    return what[speed.what] + (f", {speed.queries}" if speed.queries else "")


def _name_bar(row: _Row) -> str:
    prefix = {"screener": "", "faiss": "FAISS, ", "floor": "floor: "}[row.speed.engine]
    return f"{prefix}{row.label}, {counted(row.speed.threads, 'thread')}"


def _format_us(us: float | None) -> str:
    if us is None:
        return "-"
    return f"{us:,.3f}" if us < 1 else f"{us:,.2f}" if us < 100 else f"{us:,.0f}"


def _format_times(speed: Speed) -> str:
    last = "" if speed.p99_us is None else f" to {_format_us(speed.p99_us)}"
    return f"{_format_us(speed.p50_us)}{last} µs"


def _render_table(report: SyntheticReport) -> str:
    headings = "".join(
        f"<th{' class=' + chr(34) + 'n' + chr(34) if number else ''}>{text(heading)}</th>"
        for number, heading in enumerate(_HEADINGS)
    )
    body = ""
    for engine, rows in _group_rows(report):
        body += (
            f'<tr><th class="group" colspan="{len(_HEADINGS)}">{text(_GROUPS[engine])}</th></tr>'
        )
        for row in rows:
            cells = "".join(f'<td class="n">{text(cell)}</td>' for cell in row.cells)
            body += f"<tr><td>{text(row.label)}</td>{cells}</tr>"
    return (
        f'<div class="wide"><table><thead><tr>{headings}</tr></thead><tbody>{body}</tbody></table>'
        "</div>"
    )
