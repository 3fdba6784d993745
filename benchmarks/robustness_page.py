"""Tells the figures of the robustness benchmark: on the terminal, as tables and as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from robustness_edits import EDITS, EXIF, FRAMES, MORE, TURNS

from screener.reporting.calibration.calibrate import Count
from screener.reporting.calibration.page import in_a_million

Row = dict[str, Any]
BEGIN, END = "<!-- figures: made by benchmarks/robustness.py -->\n", "<!-- end of figures -->\n"
TOOLS = ("plain PDQ", "screener", "pHash", "perception PDQ", "perception pHash")


def share(row: Row, tool: str) -> float:
    return 100 * row["found"][tool] / row["photos"]


def pooled(rows: Sequence[Row], names: Sequence[str], title: str) -> Row:
    """Several edits as one row."""
    chosen = [row for row in rows if row["edit"] in names]
    found = {tool: sum(row["found"][tool] for row in chosen) for tool in TOOLS}
    return {"edit": title, "photos": sum(row["photos"] for row in chosen), "found": found}


def of(figures: Sequence[Row], section: str) -> list[Row]:
    return [row for row in figures if row["section"] == section]


def recall_table(rows: Sequence[Row]) -> list[str]:
    """Return a table of the edits; those with equal figures share a row."""
    edits: dict[str, list[str]] = {}
    for row in rows:
        shares = []
        for tool in TOOLS:
            text = f"{share(row, tool):.1f}"
            shares.append(f"**{text}**" if tool == "screener" else text)
        edits.setdefault(" | ".join(shares), []).append(row["edit"])
    head = [f"| edit | {' | '.join(TOOLS)} |", "|---" * (len(TOOLS) + 1) + "|"]
    return head + [f"| {' · '.join(names)} | {shares} |" for shares, names in edits.items()]


def false_table(rows: Sequence[Row]) -> list[str]:
    lines = [
        "| tool | looked for | radius | pairs | false | in a million, 95 % bounds | nearest |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        rate = in_a_million(Count.of(row["hits"], row["pairs"]))
        lines.append(
            f"| {row['tool']} | {row['queries']} | {row['radius']} | {row['pairs']:,} "
            f"| {row['hits']} | {rate} | {row['nearest']} bits |"
        )
    return lines


def claims(rows: Sequence[Row]) -> list[Row]:
    return [
        pooled(rows, TURNS, "mirrored, flipped, turned by a quarter or a half"),
        pooled(rows, EXIF, "turned by EXIF"),
        pooled(rows, FRAMES, "border or letterbox"),
        pooled(rows, [f"{name}, jpeg75" for name in FRAMES], "the same, then JPEG 75"),
    ]


def below_plain(rows: Sequence[Row]) -> list[str]:
    """The edits at which plain PDQ finds more."""
    return [row["edit"] for row in rows if row["found"]["screener"] < row["found"]["plain PDQ"]]


def tables(figures: Sequence[Row]) -> list[str]:
    rows = of(figures, "recall")
    first = [row for row in rows if row["edit"] in EDITS]
    more = [row for row in rows if row["edit"] in MORE]
    worse = below_plain(rows)
    return [
        f"Photos: {rows[0]['photos']}. Found, in %:",
        "",
        *recall_table(claims(rows)),
        "",
        f"Edits of these photos at which plain PDQ finds more than screener:"
        f" {', '.join(worse) or 'none'} ([of other photos](#plain-pdq-and-our-floor)).",
        "",
        "### Each of the 41 edits",
        "",
        *recall_table(first),
        "",
        "### More turns and frames",
        "",
        *recall_table(more),
        "",
        "### False matches",
        "",
        *false_table(of(figures, "false matches")),
    ]


def tell(figures: Sequence[Row]) -> None:
    print("\n".join(tables(figures)))


def write(figures: Sequence[Row], page: Path) -> None:
    """Put the tables between the page's two marks, and the plot beside it."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    text = "\n".join(tables(figures))
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
    draw(of(figures, "recall"), page.parent.parent / "plots" / "robustness.svg")


def draw(rows: Sequence[Row], path: Path) -> None:
    """A dot for each edit and tool; the same bytes for the same rows."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "screener", "font.size": 8}
    styles = {
        "screener": ("tab:blue", "o"),
        "perception pHash": ("tab:orange", "v"),
        "pHash": ("tab:green", "s"),
        "plain PDQ": ("tab:red", "x"),
    }
    figure = Figure(figsize=(7, 10), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    for tool, (colour, marker) in styles.items():
        shares = [share(row, tool) for row in rows]
        size = 48 if tool == "screener" else 16
        axes.scatter(shares, places, size, colour, marker, label=tool, zorder=3)
    axes.set_yticks(places, [row["edit"] for row in rows])
    axes.set(xlabel="found, %", xlim=(-3, 103), ylim=(len(rows) - 0.5, -0.5))
    axes.grid(visible=True, linewidth=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, 1.05), ncols=4, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
