"""The pages of the site and the checks of its HTML; `scripts/site` builds it and does the rest."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


def load(name: str) -> ModuleType:
    """Return a program of `scripts`, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder of pages from which the site is built."""
    folder = tmp_path_factory.mktemp("site") / "pages"
    load("site_pages").main(folder)
    return folder


def test_every_page_is_in_the_navigation_and_in_llms_txt(pages):
    """A new page of `docs/` needs a line in mkdocs.yml."""
    listed = (pages / "llms.txt").read_text(encoding="utf-8")

    for page in (ROOT / "docs").rglob("*.md"):
        place = page.relative_to(ROOT / "docs").with_suffix(".html")
        assert f"]({place}): " in listed, place


def test_links_that_leave_docs_lead_to_pages_of_the_site(pages):
    """A page of the repository becomes a page; a folder becomes one with the code of each file."""
    model = (pages / "threat-model.md").read_text(encoding="utf-8")
    examples = (pages / "repository/examples.md").read_text(encoding="utf-8")

    assert "](repository/SECURITY.md)" in model
    contributing = (pages / "repository/CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "](../architecture.md)" in contributing
    for path in (ROOT / "examples").glob("*.py"):
        assert path.read_text(encoding="utf-8").rstrip() in examples


SOUND = """<!doctype html><html lang="en"><title>A page</title><a href="#content">Skip</a>
<h1 id="content">A page</h1><h2>Part</h2><img src="a.svg" alt="A shape">
<a href="b.html#there">B</a> <a href="https://example.org/">elsewhere</a></html>"""


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("b.html", "c.html", "dead link c.html#there"),
        ("#there", "#nowhere", "dead anchor b.html#nowhere"),
        ('src="a.svg"', 'src="https://example.org/a.svg"', "from elsewhere"),
        ("<h2>Part</h2>", "<h3>Part</h3>", "level 3 follows one of level 1"),
        ("<h2>Part</h2>", "<h1>Part</h1>", "2 headings of level 1"),
        (' alt="A shape"', "", "no alternative text: a.svg"),
        (' lang="en"', "", "no language"),
        ("<title>A page", "<title>B", "2 pages are called 'B'"),
        ('<a href="#content">Skip</a>', "", "does not skip"),
    ],
)
def test_a_fault_in_a_page_is_found(tmp_path, old, new, fault):
    """A sound page has none, and each of these changes makes one."""
    checks = load("site_checks")
    (tmp_path / "a.svg").touch()
    (tmp_path / "a.html").write_text(SOUND)
    other = SOUND.replace("A page", "B").replace('id="content"', 'id="content"><b id="there"></b')
    (tmp_path / "b.html").write_text(other)
    assert checks.check_html(tmp_path) == (["a.html", "b.html"], [])

    (tmp_path / "a.html").write_text(SOUND.replace(old, new))
    _, faults = checks.check_html(tmp_path)

    assert any(fault in found for found in faults), faults
