"""A calibration as an HTML page of tables and charts, without scripts or pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from os import PathLike

from screener.errors import counted
from screener.reporting.calibration.calibrate import Calibration, Curve
from screener.reporting.calibration.count import MILLION, Count
from screener.reporting.calibration.evidence_curve import EvidenceCurve
from screener.reporting.pages.charts import Line, Scale, draw_line
from screener.reporting.pages.html import head, opening, text
from screener.system.output_file import FileKind, claim, make_private

_OPENING = opening("calibrate")
_MILLION_SCALE = Scale(
    1,
    MILLION,
    True,
    [(1, "1"), (10, "10"), (100, "100"), (1e3, "1,000"), (1e4, "10,000"), (1e5, "100,000"),
     (MILLION, "1 million")],
)  # fmt: skip
_SHARE_SCALE = Scale(0, 1, False, [(tenth / 5, f"{tenth * 20} %") for tenth in range(6)])
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
def claim_page(path: str | PathLike[str]) -> Iterator[Callable[[str], None]]:
    """Claim a file for a page, and yield the function that writes the page.

    Making the page may take long. The file stays unchanged until it is written, and is readable by
    its owner only. Raises OSError if the file cannot be opened, and OutputError if it is not a
    calibration.
    """
    claimed = claim(path, os.O_WRONLY, kind=FileKind(_OPENING, "a calibration"))
    is_written = False

    def write(text: str) -> None:
        nonlocal is_written
        if claimed.regular:
            make_private(path, claimed.descriptor)
            os.ftruncate(claimed.descriptor, 0)
        is_written = True
        with open(claimed.descriptor, "wb", closefd=False) as stream:
            stream.write(text.encode("utf-8", "backslashreplace"))

    try:
        yield write
    except OSError as error:  # errors of descriptors have no file name
        error.filename = error.filename or os.fspath(path)
        raise
    finally:
        if is_written:
            claimed.close()
        else:
            claimed.abandon()


def render_page(calibration: Calibration, *, names: bool = False) -> str:
    """Return the page as HTML. With `names`, it lists the pictures that match."""
    title = f"Calibration of {calibration.list}"
    parts = [
        f'{_OPENING}\n<html lang="en">{head(text(title), _STYLE)}<body>',
        f"<h1>{text(title)}, generation {calibration.generation}</h1>",
        _render_summary(calibration),
        *(_render_curve(curve) for curve in calibration.curves),
        "" if calibration.evidence is None else _render_evidence(calibration.evidence),
        _render_names(calibration) if names else "",
        f'<p class="note">{text(_describe_versions(calibration))}</p></body></html>\n',
    ]
    return "\n".join(parts)


def format_per_million(count: Count) -> str:
    """Return a count as false matches per million pictures, with bounds rounded outwards."""
    high = _format_rounded(count.high * MILLION, ROUND_CEILING)
    if not count.hits:
        return f"0 seen; under {high}"
    expected = _format_rounded(count.share * MILLION)
    return f"{expected} ({_format_rounded(count.low * MILLION, ROUND_FLOOR)} to {high})"


def format_percent(count: Count) -> str:
    """Return a count as a share in percent, with bounds rounded outwards."""
    low = _round_percent(count.low, ROUND_FLOOR)
    high = _round_percent(count.high, ROUND_CEILING)
    return f"{count.share:.1%} ({low}% to {high}%)"


def _format_rounded(number: float, rounding: str = ROUND_HALF_EVEN) -> str:
    """Return a number with two significant digits, or one if it is below 1."""
    rounded = float(Context(2 if number >= 1 else 1, rounding).plus(_to_decimal(number)))
    return f"{rounded:,.0f}" if rounded >= 1 else f"{rounded:g}"


def _round_percent(share: float, rounding: str) -> Decimal:
    return _to_decimal(100 * share).quantize(Decimal("0.1"), rounding)


def _to_decimal(number: float) -> Decimal:
    """Return a number without the digits that floating point adds."""
    return Decimal(f"{number:.9g}")


def _render_summary(calibration: Calibration) -> str:
    reasons = _join_counts(calibration.left_out) or "none"
    return (
        f"<p>Compared with the list: {counted(calibration.pictures, 'ordinary picture')}. Left out:"
        f" {calibration.listed:,} listed by digest,"
        f" {counted(calibration.copies, 'copy', 'copies')} of an earlier file,"
        f" and others: {text(reasons)}."
        f" Of those compared, {calibration.too_little_detail:,} lack the detail to match by"
        " distance.</p>"
        f"{_render_edited(calibration)}"
        "<p>False matches by any kind per million pictures like these, under this policy:"
        f" <strong>{format_per_million(calibration.together)}</strong>.</p>"
        '<p class="note">Bounds are those of Clopper and Pearson at 95 %. If no match was seen, the'
        " upper bound is 3 divided by the number of pictures; only more pictures lower it. The"
        " bounds assume independent pictures: for many pictures of one scene, or re-encoded copies,"
        " the true bounds are wider. The figures hold for pictures like these and for this list;"
        " another list, or this list with more entries, has its own. The list's values include"
        " those of seeds and known_good entries, which match nothing. The page counts the pictures"
        " within each radius, up to the policy's, and names none.</p>"
    )


def _render_edited(calibration: Calibration) -> str:
    if not (calibration.edited or calibration.not_edited):
        return ""
    reasons = _join_counts(calibration.not_edited)
    failed = f"; failed for others that could be hashed: {text(reasons)}" if reasons else ""
    edited = counted(calibration.edited, "picture")
    return f"<p>Edited and compared with the original: {edited}{failed}.</p>"


def _join_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items())


def _render_curve(curve: Curve) -> str:
    axis_label = "radius in bits (dashed: the policy's)"
    line = _make_line(curve.false_matches, curve.radius, MILLION)
    title = "False matches in a million pictures"
    charts = [draw_line(title, line, _MILLION_SCALE, axis_label)]
    if curve.recall:
        line = _make_line(curve.recall, curve.radius, 1)
        title = "Found again after everyday edits"
        charts.append(draw_line(title, line, _SHARE_SCALE, axis_label))
    weak_note = (
        '<p class="note">Hits of this kind make no match unless another kind of the same entry'
        " agrees; they are counted here as if they did, and not in the figure for any kind.</p>"
    )
    return (
        f"<h2>{curve.kind}: {curve.bits} bits, {counted(curve.values, 'value')} in the list</h2>"
        f"{weak_note if curve.weak else ''}"
        f'<div class="charts">{"".join(charts)}</div>{_render_radii(curve)}'
        f"{_render_edits(curve.by_edit, f'radius {curve.radius}')}"
    )


def _render_evidence(curve: EvidenceCurve) -> str:
    axis_label = "threshold in bits of evidence (dashed: the policy's)"
    line = _make_line(curve.false_matches, curve.threshold, MILLION, curve.first)
    charts = [
        draw_line("Matches by evidence in a million pictures", line, _MILLION_SCALE, axis_label)
    ]
    if curve.recall:
        line = _make_line(curve.recall, curve.threshold, 1, curve.first)
        title = "Found again by distance or evidence"
        charts.append(draw_line(title, line, _SHARE_SCALE, axis_label))
    return (
        f"<h2>{curve.kind} by evidence, effort {text(curve.effort)}:"
        f" {counted(curve.values, 'value')} in the list</h2>"
        '<p class="note">These matches come on top of those by distance: a picture that a kind'
        " which is not weak matched by distance is not counted here, whatever its evidence.</p>"
        f'<div class="charts">{"".join(charts)}</div>'
        f"{_render_thresholds(curve)}"
        f"{_render_edits(curve.by_edit, f'{curve.threshold} bits of evidence')}"
    )


def _render_thresholds(curve: EvidenceCurve) -> str:
    rows = []
    for threshold in curve.rows:
        count = curve.false_matches[threshold - curve.first]
        cells = [str(threshold), f"{count.hits:,} of {count.cases:,}", format_per_million(count)]
        if curve.recall:
            cells.append(format_percent(curve.recall[threshold - curve.first]))
        rows.append((cells, threshold == curve.threshold))
    headings = ["bits of evidence", "pictures that match", "in a million, with bounds"]
    if curve.recall:
        headings.append("found again")
    return _render_table("By threshold", headings, rows)


def _make_line(counts: Sequence[Count], mark: int | None, scale: int, first: int = 0) -> Line:
    return Line(
        [count.share * scale for count in counts],
        [count.low * scale for count in counts],
        [count.high * scale for count in counts],
        mark,
        first,
    )


def _render_radii(curve: Curve) -> str:
    step = 1 if curve.bits == 64 else 4
    radii = {*range(0, len(curve.false_matches), step), curve.radius}
    rows = []
    for radius in sorted(radii):
        count = curve.false_matches[radius]
        cells = [str(radius), f"{count.hits:,} of {count.cases:,}", format_per_million(count)]
        if curve.recall:
            cells.append(format_percent(curve.recall[radius]))
        rows.append((cells, radius == curve.radius))
    headings = ["radius", "pictures that match", "in a million, with bounds"]
    if curve.recall:
        headings.append("found again")
    return _render_table("By radius", headings, rows)


def _render_edits(by_edit: Mapping[str, Count], limit: str) -> str:
    if not by_edit:
        return ""
    rows = [([name, format_percent(count)], False) for name, count in by_edit.items()]
    cases = next(iter(by_edit.values())).cases
    caption = f"By edit, {counted(cases, 'picture')} at {limit}"
    return _render_table(caption, ["edit", "found again, with bounds"], rows)


def _render_table(
    caption: str, headings: Sequence[str], rows: Sequence[tuple[Sequence[str], bool]]
) -> str:
    """Return a table; a row with True is that of the policy's radius or threshold."""
    head = "".join(f"<th>{text(heading)}</th>" for heading in headings)
    body = "".join(_render_row(cells, is_own) for cells, is_own in rows)
    return f"<table><caption>{text(caption)}</caption><tr>{head}</tr>{body}</table>"


def _render_row(cells: Sequence[str], is_own: bool) -> str:
    start = '<tr class="own">' if is_own else "<tr>"
    return start + "".join(f"<td>{text(cell)}</td>" for cell in cells) + "</tr>"


def _render_names(calibration: Calibration) -> str:
    if not calibration.matching:
        return ""
    items = "".join(f"<li>{text(name)}</li>" for name in calibration.matching)
    return f"<h2>Pictures that match under the policy</h2><ul>{items}</ul>"


def _describe_versions(calibration: Calibration) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in calibration.versions.items())
    return f"Policy {calibration.policy}; {versions}."
