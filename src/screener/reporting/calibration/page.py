"""A calibration as one page: tables and charts, no script, nothing from elsewhere, no picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from os import PathLike

from screener.errors import counted
from screener.reporting.calibration.calibrate import MILLION, Calibration, Count, Curve
from screener.reporting.pages.charts import Line, Scale, line_chart
from screener.reporting.pages.html import head, opening, text
from screener.system.output_file import FileKind, claim, close, give_up, make_private

_OPENING = opening("calibrate")
_POWERS = Scale(
    1,
    MILLION,
    True,
    [(1, "1"), (10, "10"), (100, "100"), (1e3, "1,000"), (1e4, "10,000"), (1e5, "100,000"),
     (MILLION, "1 million")],
)  # fmt: skip
_SHARES = Scale(0, 1, False, [(tenth / 5, f"{tenth * 20} %") for tenth in range(6)])
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c2733; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
table { border-collapse: collapse; margin: 1rem 0 } caption { text-align: left; font-weight: 600 }
td, th { padding: .15rem .9rem .15rem 0; text-align: right; border-bottom: 1px solid #dde3e9 }
th:first-child, td:first-child { text-align: left } tr.own { background: #eaf2fb; font-weight: 600 }
svg { max-width: 100%; height: auto } .charts { display: flex; flex-wrap: wrap; gap: 1rem }
.grid { stroke: #dde3e9 } .mark { stroke: #b3261e; stroke-dasharray: 4 3 }
.line { fill: none; stroke: #1f5fa8; stroke-width: 2 } .band { fill: #1f5fa8; fill-opacity: .16 }
text { font: 11px system-ui, sans-serif; fill: #45525f } .tick { text-anchor: end }
.foot { text-anchor: middle } .title { font-size: 13px; font-weight: 600; fill: #1c2733 }
.note { color: #45525f }
"""


@contextmanager
def claimed(path: str | PathLike[str]) -> Iterator[Callable[[str], None]]:
    """Claim a file for a page that takes long to make; what is given writes the page to it,
    readable by its owner only. The file is as it was until then.

    Raises OSError where it cannot be opened, OutputError where it holds anything but a calibration.
    """
    taken = claim(path, os.O_WRONLY, kind=FileKind(_OPENING, "a calibration"))
    written = False

    def put(text: str) -> None:
        nonlocal written
        if taken.regular:
            make_private(path, taken.descriptor)
            os.ftruncate(taken.descriptor, 0)
        written = True
        with open(taken.descriptor, "wb", closefd=False) as stream:
            stream.write(text.encode("utf-8", "backslashreplace"))

    try:
        yield put
    except OSError as error:  # of a descriptor, it has no name: a full disk, say
        error.filename = error.filename or os.fspath(path)
        raise
    finally:
        if written:
            close(taken)
        else:
            give_up(path, taken)


def page(told: Calibration, *, names: bool = False) -> str:
    """The page as HTML; with `names` of pictures that match."""
    title = f"Calibration of {told.list}"
    parts = [
        f'{_OPENING}\n<html lang="en">{head(text(title), _STYLE)}<body>',
        f"<h1>{text(title)}, generation {told.generation}</h1>",
        _summary(told),
        *(_section(curve) for curve in told.curves),
        _names(told) if names else "",
        f'<p class="note">{text(_made_by(told))}</p></body></html>\n',
    ]
    return "\n".join(parts)


def in_a_million(count: Count) -> str:
    """A count as false matches in a million pictures, with its bounds, which are rounded outwards,
    in words.
    """
    high = _rounded(count.high * MILLION, ROUND_CEILING)
    if not count.hits:
        return f"0 seen; under {high}"
    expected = _rounded(count.share * MILLION)
    return f"{expected} ({_rounded(count.low * MILLION, ROUND_FLOOR)} to {high})"


def in_percent(count: Count) -> str:
    """A count as a share of the cases, with its bounds, which are rounded outwards, in words."""
    low, high = _tenth(count.low, ROUND_FLOOR), _tenth(count.high, ROUND_CEILING)
    return f"{count.share:.1%} ({low}% to {high}%)"


def _rounded(number: float, rounding: str = ROUND_HALF_EVEN) -> str:
    """With two digits that count, since there are not more; with one below 1."""
    told = float(Context(2 if number >= 1 else 1, rounding).plus(_exact(number)))
    return f"{told:,.0f}" if told >= 1 else f"{told:g}"


def _tenth(share: float, rounding: str) -> Decimal:
    """In per cent, with one digit behind the point."""
    return _exact(100 * share).quantize(Decimal("0.1"), rounding)


def _exact(number: float) -> Decimal:
    """A number without what floating point adds behind."""
    return Decimal(f"{number:.9g}")


def _summary(told: Calibration) -> str:
    left = ", ".join(f"{count} {reason}" for reason, count in told.left_out.items()) or "none"
    return (
        f"<p>Compared with the list: {counted(told.pictures, 'ordinary picture')}. Left out:"
        f" {told.listed:,} listed by a digest, {counted(told.copies, 'copy', 'copies')} of a file"
        f" before, and others: {text(left)}."
        f" Too little detail to match at all: {told.too_little_detail:,} of those compared.</p>"
        f"{_edited(told)}"
        "<p>Under the policy as it is, false matches by any kind in a million pictures like these:"
        f" <strong>{in_a_million(told.together)}</strong>.</p>"
        '<p class="note">Bounds are those of Clopper and Pearson at 95 %. Where nothing was seen,'
        " the upper one is 3 divided by the number of pictures: more pictures lower it, nothing"
        " else does. They take each picture for one that has nothing to do with the others: of many"
        " pictures of one scene, and of copies that were saved anew, the true ones are wider. The"
        " figures hold for pictures like these and for this list; another list, or this one grown,"
        " has its own. Its values are told with those of seeds and known files, which match nothing"
        " as long as they are that. The page counts the pictures within each radius, up to the"
        " policy's, and names none.</p>"
    )


def _edited(told: Calibration) -> str:
    if not (told.edited or told.not_edited):
        return ""
    left = ", ".join(f"{count} {reason}" for reason, count in told.not_edited.items())
    others = f"; of others that could be hashed it failed: {text(left)}" if left else ""
    return (
        f"<p>Edited and compared with the original: {counted(told.edited, 'picture')}{others}.</p>"
    )


def _section(curve: Curve) -> str:
    across = "radius in bits (dashed: the policy's)"
    wrong = line_chart(
        "False matches in a million pictures",
        _line(curve.false_matches, curve.radius, MILLION),
        _POWERS,
        across,
    )
    charts = [wrong]
    if curve.recall:
        again = _line(curve.recall, curve.radius, 1)
        charts.append(line_chart("Found again after everyday edits", again, _SHARES, across))
    weak = (
        '<p class="note">Hits of this kind make no match unless another kind of the same entry'
        " agrees; they are counted here as if they did, and not in the figure for any kind.</p>"
    )
    return (
        f"<h2>{curve.kind}: {curve.bits} bits, {counted(curve.values, 'value')} in the list</h2>"
        f"{weak * curve.weak}"
        f'<div class="charts">{"".join(charts)}</div>{_radii(curve)}{_edits(curve)}'
    )


def _line(counts: Sequence[Count], mark: int, scale: int) -> Line:
    return Line(
        [count.share * scale for count in counts],
        [count.low * scale for count in counts],
        [count.high * scale for count in counts],
        mark,
    )


def _radii(curve: Curve) -> str:
    step = 1 if curve.bits == 64 else 4
    shown = {*range(0, len(curve.false_matches), step), curve.radius}
    rows = []
    for radius in sorted(shown):
        count = curve.false_matches[radius]
        cells = [str(radius), f"{count.hits:,} of {count.cases:,}", in_a_million(count)]
        if curve.recall:
            cells.append(in_percent(curve.recall[radius]))
        rows.append((cells, radius == curve.radius))
    head = ["radius", "pictures that match", "in a million, with bounds"]
    return _table("By radius", head + ["found again"] * bool(curve.recall), rows)


def _edits(curve: Curve) -> str:
    if not curve.by_edit:
        return ""
    rows = [([name, in_percent(count)], False) for name, count in curve.by_edit.items()]
    cases = next(iter(curve.by_edit.values())).cases
    return _table(f"By edit, {counted(cases, 'picture')} at radius {curve.radius}",
                  ["edit", "found again, with bounds"], rows)  # fmt: skip


def _table(caption: str, head: Sequence[str], rows: Sequence[tuple[Sequence[str], bool]]) -> str:
    top = "".join(f"<th>{text(cell)}</th>" for cell in head)
    body = "".join(_row(cells, own) for cells, own in rows)
    return f"<table><caption>{text(caption)}</caption><tr>{top}</tr>{body}</table>"


def _row(cells: Sequence[str], own: bool) -> str:
    start = '<tr class="own">' if own else "<tr>"
    return start + "".join(f"<td>{text(cell)}</td>" for cell in cells) + "</tr>"


def _names(told: Calibration) -> str:
    if not told.matching:
        return ""
    items = "".join(f"<li>{text(name)}</li>" for name in told.matching)
    return f"<h2>Pictures that match under the policy</h2><ul>{items}</ul>"


def _made_by(told: Calibration) -> str:
    made = ", ".join(f"{name} {version}" for name, version in told.versions.items())
    return f"Policy {told.policy}; {made}."
