"""The map of the source names only what is there, and every package of it."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "screener"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FILES = ("cpp", "json", "py")


def named_paths() -> list[str]:
    """Return the paths within backticks: with a slash behind a folder, or a file's ending."""
    names = re.findall(r"`([\w./]+)`", PAGE)
    return [name for name in names if name.endswith("/") or name.rpartition(".")[2] in FILES]


def test_every_path_on_the_page_exists() -> None:
    """Paths are below the repository or, as the page says, below `src/screener`."""
    missing = [
        name for name in named_paths() if not any((at / name).exists() for at in (ROOT, PACKAGE))
    ]
    assert len(named_paths()) > 40
    assert missing == []


def test_every_package_is_on_the_page() -> None:
    """A new package of the library has its place on the map."""
    packages = {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    assert packages <= set(named_paths())
