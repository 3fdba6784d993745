"""Check the built site: `python scripts/site_checks.py FOLDER [--all]`. Exits with 1 at a fault.

The HTML is checked without a browser: links and anchors, headings, titles, alternative texts, no
resource from elsewhere. If Chromium is installed, each page is also opened in it, on a phone's
width, in light or dark colours by turns; with `--all` in both, on a desktop's width too. It is
checked by axe-core (WCAG 2.1 AA, so also contrast), for overflow, and by keyboard.
"""

import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = {"phone": (390, 844), "desktop": (1280, 900)}
SCHEMES = ("light", "dark")
# Interactive elements that are shown and that the Tab key never reaches. The theme leaves out the
# button that empties the search, which Escape does.
UNREACHABLE = """() => [...document.querySelectorAll(
    'a[href], button:not([type=reset]), input, select, textarea, summary, [role=button]')]
  .filter(one => one.checkVisibility({visibilityProperty: true}) && one.tabIndex < 0)
  .map(one => one.outerHTML.slice(0, 120))"""
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
OVERFLOW = "() => document.documentElement.scrollWidth - innerWidth"


class Page(HTMLParser):
    """The parts of an HTML page that are checked."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.resources: list[str] = []
        self.headings: list[int] = []
        self.title, self.lang, self.first_link = "", "", ""
        self.images_without_text: list[str] = []
        self._in_title = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag says."""
        values = {name: value or "" for name, value in attrs}
        self.ids.add(values.get("id", ""))
        if tag == "html":
            self.lang = values.get("lang", "")
        elif tag == "title" and not self.title:
            self._in_title = True
        elif tag == "a" and "href" in values:
            self.first_link = self.first_link or values["href"]
            self.links.append(values["href"])
        elif len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self.headings.append(int(tag[1]))
        if tag == "img" and not values.get("alt"):
            self.images_without_text.append(values.get("src", ""))
        is_resource = tag == "link" and values.get("rel") in ("stylesheet", "icon", "preload")
        self.resources += [values["src"]] if "src" in values else []
        self.resources += [values["href"]] if is_resource else []

    def handle_data(self, data: str) -> None:
        """Note the title."""
        self.title += data if self._in_title else ""

    def handle_endtag(self, tag: str) -> None:
        """Note the end of the title."""
        self._in_title = self._in_title and tag != "title"


def find_faults(name: str, page: Page) -> Iterator[str]:
    """Yield what is wrong with one page by itself."""
    if page.headings.count(1) != 1:
        yield f"{name}: {page.headings.count(1)} headings of level 1"
    for before, after in zip(page.headings, page.headings[1:], strict=False):
        if after > before + 1:
            yield f"{name}: a heading of level {after} follows one of level {before}"
    if not page.lang:
        yield f"{name}: no language"
    if not page.first_link.startswith("#") and name != "404.html":  # it has no text of its own
        yield f"{name}: the first link does not skip to the content"
    yield from (f"{name}: no alternative text: {image}" for image in page.images_without_text)


def check_links(site: Path, pages: dict[str, Page]) -> tuple[list[str], int]:
    """Return what is wrong with links and resources, and the number of links within the site."""
    faults, count = [], 0
    for name, page in pages.items():
        for link in page.resources:
            if urlsplit(link).scheme not in ("", "data"):
                faults.append(f"{name}: loads {link} from elsewhere")
        for link in page.links + page.resources:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            count += 1
            start = site if parts.path.startswith("/") else (site / name).parent
            target = (start / unquote(parts.path).lstrip("/")) if parts.path else site / name
            target = (target / "index.html" if target.is_dir() else target).resolve()
            if not target.is_file():
                faults.append(f"{name}: dead link {link}")
            elif parts.fragment and target.suffix == ".html":
                other = pages[str(target.relative_to(site))]
                if unquote(parts.fragment) not in other.ids:
                    faults.append(f"{name}: dead anchor {link}")
    return faults, count


def check_html(site: Path) -> tuple[list[str], list[str]]:
    """Return the names of the pages, and what is wrong with them."""
    paths = sorted(site.rglob("*.html"))
    pages = {str(path.relative_to(site)): Page(path) for path in paths}
    faults, count = check_links(site, pages)
    for name, page in pages.items():
        faults += find_faults(name, page)
    titles = Counter(page.title for page in pages.values())
    faults += [
        f"{number} pages are called {title!r}" for title, number in titles.items() if number > 1
    ]
    print(f"{len(pages)} pages, {count} links and resources within the site")
    return list(pages), faults


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and logs nothing."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def check_in_browser(site: Path, names: list[str], browser_path: str, every: bool) -> list[str]:
    """Return what axe-core, the keyboard and the widths find wrong in Chromium."""
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site))
    Thread(target=server.serve_forever, daemon=True).start()
    faults: list[str] = []
    axe = Axe()

    def note(error: Exception) -> None:
        faults.append(f"a script fails: {error}")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for turn, (width, scheme) in enumerate(product(WIDTHS, SCHEMES)):
            wide, high = WIDTHS[width]
            page = browser.new_page(viewport={"width": wide, "height": high}, color_scheme=scheme)
            page.on("pageerror", note)
            for name in names if every else names[turn::2] if width == "phone" else []:
                page.goto(f"http://127.0.0.1:{server.server_port}/{name}")
                where = f"{name}, {width}, {scheme}"
                faults += [f"{where}: {fault}" for fault in check_shown(page, axe)]
        browser.close()
    server.shutdown()
    return faults


def check_shown(page, axe) -> Iterator[str]:
    """Yield what is wrong with the page that the browser shows."""
    for one in axe.run(page, options=AXE).response["violations"]:
        nodes = [(node["target"][-1], node["failureSummary"]) for node in one["nodes"]]
        yield f"{one['id']}, {len(nodes)} times: {' '.join(' '.join(nodes[0]).split())[:300]}"
    if (pixels := page.evaluate(OVERFLOW)) > 0:
        yield f"is {pixels} pixels wider than the window"
    yield from (f"the Tab key never reaches {one}" for one in page.evaluate(UNREACHABLE))
    page.keyboard.press("Tab")
    first = page.evaluate("() => document.activeElement.getAttribute('href')") or ""
    if not first.startswith("#") and "404" not in page.url:
        yield "the first Tab does not reach the link to the content"


def main(site: Path, every: bool) -> int:
    """Run all checks that are possible here; print what is wrong."""
    names, faults = check_html(site)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser:
        faults += check_in_browser(site, names, browser, every)
    else:
        print("no Chromium is installed: contrast, keyboard and overflow were NOT checked")
    print(*faults or ["nothing is wrong"], sep="\n")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), "--all" in sys.argv[2:]))
