"""Write the pages of the site into a folder: `python scripts/site_pages.py FOLDER`.

They are those of `docs/`, and what these link to elsewhere in the repository: links are relative,
so that they work where the repository is read. Each such file or folder gets a page below
`repository/`, and the links follow. `llms.txt` lists the pages with their first paragraphs.
"""

import posixpath
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
ALWAYS = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
LINK = re.compile(r"\]\(([^)\s#:]+)(#[^)\s]*)?\)")
LANGUAGES = {".py": "python", ".yaml": "yaml", ".json": "json"}
FENCE = "`````"


def find_page(path: str) -> str:
    """Return the place on the site of a file or folder of the repository."""
    if path == "README.md":
        return "index.md"
    page = path.removeprefix("docs/")
    if page != path:
        return page
    return f"repository/{path}" if path.endswith(".md") else f"repository/{path}.md"


def read_page(path: str) -> str:
    """Return the Markdown of a file or folder: its text if it is a page, otherwise its code."""
    source = ROOT / path
    if path.endswith(".md"):
        return source.read_text(encoding="utf-8")
    parts = [f"# `{path}`", "From the repository."]
    for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
        if file.is_file() and "__pycache__" not in file.parts:
            if source.is_dir():
                parts.append(f"## `{file.relative_to(source)}`")
            code = file.read_text(encoding="utf-8").rstrip()
            parts.append(f"{FENCE}{LANGUAGES.get(file.suffix, 'text')}\n{code}\n{FENCE}")
    return "\n\n".join(parts) + "\n"


def collect() -> dict[str, str]:
    """Return the Markdown of every page by its place on the site, its links pointed at pages."""
    pending = [f"docs/{page.relative_to(ROOT / 'docs')}" for page in (ROOT / "docs").rglob("*.md")]
    pending += ALWAYS
    pages = {}
    while pending:
        path = pending.pop()
        here = find_page(path)

        def point(match: re.Match[str], path: str = path, here: str = here) -> str:
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[1]))
            if target.startswith("..") or not (ROOT / target).exists():
                return match[0]  # the builder warns of it
            if find_page(target) not in pages and not target.startswith(("docs/", "README.md")):
                pending.append(target)
            place = posixpath.relpath(find_page(target), posixpath.dirname(here))
            return f"]({place}{match[2] or ''})"

        pages[here] = LINK.sub(point, read_page(path))
    return pages


def list_nav(nav: list[Any]) -> Iterator[tuple[str, str]]:
    """Yield title and place of each page of a navigation, in order."""
    for item in nav:
        ((title, inner),) = item.items()
        if isinstance(inner, str):
            yield title, inner
        else:
            yield from list_nav(inner)


def write_llms(settings: dict[str, Any], pages: dict[str, str]) -> str:
    """Return `llms.txt`: each page of the navigation with its first paragraph."""
    lines = [f"# {settings['site_name']}", "", f"> {settings['site_description']}"]
    for section in settings["nav"]:
        lines += ["", f"## {next(iter(section))}", ""]
        for title, place in list_nav([section]):
            _, first, *_ = pages[place].split("\n\n")
            words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", " ".join(first.split()))
            lines.append(f"- [{title}]({place.removesuffix('.md')}.html): {words}")
    return "\n".join(lines) + "\n"


def main(folder: Path) -> None:
    """Write all pages, and the files beside them, into a folder that is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder)
    pages = collect()
    for place, text in pages.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text, encoding="utf-8")
    yaml.SafeLoader.add_multi_constructor("", lambda *_: None)  # tags of the builder
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    (folder / "llms.txt").write_text(write_llms(settings, pages), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
