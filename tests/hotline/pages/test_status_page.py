"""The hotline's pages: contents, privacy and hostile texts; in a browser if there is one."""

import http.server
import json
import os
import re
import shutil
import stat
import subprocess
import threading
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notice_case import HOTLINE, ITEM_HASHES, MD5, PDQ, RECEIVED, SHA1, WRITTEN, case, partner
from paths import REPOSITORY

from screener.errors import HotlineError, printable
from screener.hotline import helplines
from screener.hotline.language.translator import get_translator, list_unreviewed
from screener.hotline.model.addresses import defang
from screener.hotline.model.case import LANGUAGES, Case, Event, Sent
from screener.hotline.notices import notice_files
from screener.hotline.notices.notice import make_notice
from screener.hotline.pages import status_page

HOUR = timedelta(hours=1)
NOW = RECEIVED + 20 * HOUR
TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "dl", "dt", "dd",
    "ul", "li", "bdi", "pre", "div", "b", "span", "table", "thead", "tbody", "tr", "th", "td",
    "footer",
}  # fmt: skip
HOSTILE = [
    "<script>document.title='x'</script>",
    "\"><img src=http://CANARY/a onerror=fetch('http://CANARY/b')>",
    "</title></style><link rel=stylesheet href=http://CANARY/c>",
    "<meta http-equiv=refresh content='0;url=http://CANARY/d'>",
    "</pre><iframe src=http://CANARY/e></iframe>",
    "javascript:alert(1)//\u202egpj.\u2066\x00\x1b[31m\n\r\t",
    "{0.__class__} {hotline} %s ${x} &lt;b&gt; 漢字 مرحبا",
]


class Page(HTMLParser):
    """The elements of a page with their attributes, and the text of each in turn."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.text, self.style = [], [], False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        """Note an element."""
        self.elements.append((tag, tuple(attributes)))
        self.style = tag == "style"

    def handle_data(self, data):
        """Note text that is shown."""
        if not self.style:
            self.text.append(data)

    def handle_endtag(self, tag):
        """Only a style's own end ends it."""
        self.style = False

    def handle_comment(self, data):
        """There is none but the first, which says what made the page."""
        assert data in (" screener hotline page ", " screener case notify ")
        assert not self.elements

    @property
    def shown(self):
        """All its text as one line."""
        return " ".join("".join(self.text).split())


def notice_page(language, folder, *, addresses=("https://a.example/",), text="x"):
    """Return a notice's page with a foreign text in every place."""
    hotline = replace(HOTLINE, name=text, contact=text, legal_basis=text)
    to = replace(partner(folder), name=text)
    one = case(addresses=tuple(addresses))
    made = make_notice(one, to, hotline=hotline, at=WRITTEN, notice="N-1", hashes=ITEM_HASHES)
    return notice_files.render_html(made, get_translator(language))


def cases(text="meta"):
    """Return cases of every standing, with notices to two partners, one with this name."""

    def of(number, hours, state, **fields):
        came = NOW - hours * HOUR
        return Case(
            f"C-{number}", state, came, ("r",), outcome="illegal", basis="the basis",
            addresses=("https://a.example/",), hashes=(ITEM_HASHES[0].hash,),
            events=(Event(state, came + HOUR, "ann", "the reason"),), **fields,
        )  # fmt: skip

    def notices(came, *hours):
        return tuple(
            Sent(f"N-{who}", who, came, None, None if n is None else came + n * HOUR)
            for who, n in zip((text, "tiktok"), hours, strict=True)
        )

    return [
        of(1, 2, "received"),
        of(2, 19, "notified", sent=notices(NOW - 19 * HOUR, None, 3)),
        of(3, 30.5, "notified", sent=notices(NOW - 30.5 * HOUR, 5, None)),
        of(4, 50, "removed", sent=notices(NOW - 50 * HOUR, 4, 30)),
    ]


def status(language, text="meta", **options):
    """Return the status page of these cases."""
    hotline = replace(HOTLINE, name=text)
    return status_page.render_page(
        cases(text), now=NOW, language=language, hotline=hotline, **options
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_status_page_shows_each_clock_and_the_figures(language):
    """Overdue cases first; in the language and its direction."""
    page = Page(status(language))
    translate = get_translator(language)
    shown = page.shown

    assert dict(page.elements[0][1]) == {"lang": language, "dir": translate.direction}
    assert [shown.index(f"C-{n}") for n in (3, 2, 1, 4)] == sorted(
        shown.index(f"C-{n}") for n in (1, 2, 3, 4)
    )
    for hours in (6.5, 5, 22):
        assert translate.duration(hours * HOUR) in shown
    # The first partner removed after 5 and 4 hours, and has time left for a third; the other after
    # 3 and 30, and not at all.
    for share in (1, 1 / 3, 3 / 5):
        assert " ".join(translate.share(share).split()) in shown
    assert translate.duration(4.5 * HOUR) in shown
    assert f"{NOW:%Y-%m}" in shown


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("outcome", "held"), [("illegal", "1"), ("not_illegal", "0")])
def test_a_month_without_reports_is_shown(language, outcome, held):
    """Its numbers are numbers in each language."""
    then = RECEIVED + timedelta(days=10)
    one = case(outcome=outcome, events=(Event("assessed", then, "ann", "x"),))
    page = Page(status_page.render_page([one], now=then, language=language, hotline=HOTLINE))

    assert f"2026-12001{held}00––" in page.shown  # its cells, one after the other


@pytest.mark.parametrize("language", LANGUAGES)
def test_thousands_have_the_separator_of_the_language(language):
    """In hours and counts."""
    translate = get_translator(language)
    one = case(reported=(RECEIVED,) * 1234)
    then = RECEIVED + 1500 * HOUR
    text = status_page.render_page([one], now=then, language=language, hotline=HOTLINE)

    assert f"<bdi>{translate.duration(1476 * HOUR)}</bdi>" in text
    assert f"<td>{translate.number(1234)}</td>" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_status_page_names_no_content_and_no_person(language):
    """No address, hash, basis, reason or name."""
    text = status(language)
    for secret in ("a.example", "a[.]example", PDQ[:16], "the basis", "the reason", "ann", "N-"):
        assert secret not in Page(text).shown, secret
        if secret not in ("ann", "N-"):
            assert secret not in text


def test_the_status_page_warns_of_unreviewed_texts():
    """Until the language is signed."""
    output = get_translator("en")("Arabic") in Page(status("en")).shown
    assert output == ("ar" in list_unreviewed())


def test_the_status_page_warns_of_unchecked_helplines():
    """Those passed in, or the package's."""
    translate = get_translator("en")
    own = helplines.load()
    assert helplines.warn_of_unchecked(own, translate) in Page(status("en")).shown
    checked = tuple(replace(one, checked=NOW.date()) for one in own)
    some = (replace(checked[0], checked=None), *checked[1:])
    output = Page(status("en", helplines=some)).shown
    assert f"1 helpline has not been checked by the operator: {own[0].id}." in output
    assert "helpline" not in Page(status("en", helplines=checked)).shown


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_refusal_is_shown_with_its_partner(language):
    """It counts as acknowledged, not as removed."""
    came = NOW - 20 * HOUR
    sent = (Sent("N-1", "meta", came, came + HOUR, None, came + HOUR),)
    one = case(state="notified", sent=sent)
    text = status_page.render_page([one], now=NOW, language=language, hotline=HOTLINE)
    row = text[text.index("<bdi>meta</bdi>") :].partition("</tr>")[0]
    assert re.findall(r"<td>(\d)</td>", row) == ["1", "1", "0", "1"]
    assert get_translator(language)("Refused") in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_can_neither_load_nor_act(tmp_path, language):
    """No such element or attribute, and a policy that allows only its style."""
    for text in (notice_page(language, tmp_path), status(language)):
        page = Page(text)
        assert {tag for tag, _ in page.elements} <= TAGS
        names = {name for _, attributes in page.elements for name, _ in attributes}
        assert names <= {
            "lang", "dir", "charset", "http-equiv", "content", "name", "class", "scope", "tabindex",
        }  # fmt: skip
        (policy,) = [dict(a)["content"] for _, a in page.elements if dict(a).get("http-equiv")]
        assert re.fullmatch(
            r"default-src 'none'; style-src 'sha256-[\w+/=]{44}'; base-uri 'none';"
            r" form-action 'none'",
            policy,
        )
        assert "<" not in "".join(page.text)  # no markup of ours is shown as text
        assert "url(" not in text
        assert "@import" not in text


def check_same_page(plain_page, hostile_page):
    """Assert that two pages have the same elements and attributes."""
    assert Page(hostile_page).elements == Page(plain_page).elements
    assert not re.search("[\u202a-\u202e\u2067\x00-\x09\x0b-\x1f\x7f]", hostile_page)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=40)))
def test_a_hostile_text_is_only_text(tmp_path_factory, text):
    """In every place and language."""
    folder = tmp_path_factory.getbasetemp()
    for language in LANGUAGES:
        page = notice_page(language, folder, addresses=(text,), text=text)
        check_same_page(notice_page(language, folder), page)
        found = Page(page)
        assert printable(text) in "".join(found.text)
        assert defang(text) in "".join(found.text)
        check_same_page(status(language), status(language, text))
        assert printable(text) in "".join(Page(status(language, text)).text)


def test_addresses_and_references_keep_their_order_in_arabic(tmp_path):
    """Each is isolated, left to right."""
    text = notice_page("ar", tmp_path, addresses=("http://مثال.example/صورة",))
    for value in ("hxxp[:]//مثال[.]example/صورة", "N-1", "C-2026-7KQ4M", PDQ, MD5):
        assert f'<bdi dir="ltr" class="code">{value}</bdi>' in text
    assert SHA1 not in text


def test_the_page_is_private_and_replaced_atomically(tmp_path, monkeypatch):
    """A failure leaves the old page and nothing beside it."""
    path = tmp_path / "status.html"
    for _ in range(2):
        status_page.write_html(path, cases(), now=NOW, language="fr", hotline=HOTLINE)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [one.name for one in tmp_path.iterdir()] == ["status.html"]
    (tmp_path / "folder").mkdir()
    with pytest.raises(HotlineError, match="cannot be written"):
        status_page.write_html(
            tmp_path / "folder", cases(), now=NOW, language="fr", hotline=HOTLINE
        )

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        status_page.write_html(path, [], now=NOW, language="fr", hotline=HOTLINE)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["folder", "status.html"]


def test_an_empty_hotline_has_a_page():
    """Without a share."""
    for language in LANGUAGES:
        page = Page(status_page.render_page([], now=NOW, language=language, hotline=HOTLINE))
        assert "–" in page.shown
        assert "%" not in page.shown


def test_a_late_answer_does_not_move_the_end_of_a_case():
    """The newest end stands first."""
    early, late = replace(cases()[3], reference="E-1"), replace(cases()[3], reference="E-2")
    ends = [Event("removed", NOW - hours * HOUR, "ann", "x") for hours in (40, 30, 3)]
    early, late = replace(early, events=(ends[0], ends[2])), replace(late, events=(ends[1],))
    page = Page(status_page.render_page([early, late], now=NOW, language="en", hotline=HOTLINE))

    assert page.shown.index("E-2") < page.shown.index("E-1")
    translate = get_translator("en")
    assert translate.moment(ends[0].at, HOTLINE.zone, reference=NOW) in page.shown
    assert translate.moment(ends[2].at, HOTLINE.zone, reference=NOW) not in page.shown


def test_fifty_ended_cases_are_shown_and_the_others_counted():
    """The newest first."""
    many = [
        replace(cases()[3], reference=f"E-{n:03}", received=NOW - (50 + n) * HOUR, events=())
        for n in range(60)
    ]
    page = Page(status_page.render_page(many, now=NOW, language="en", hotline=HOTLINE))

    assert page.shown.count("E-") == 50
    assert "and 10 more cases" in page.shown
    assert "E-000" in page.shown
    assert "E-059" not in page.shown


class Canary(http.server.BaseHTTPRequestHandler):
    """Notes what is asked of it, and gives it."""

    asked: list

    def do_GET(self):
        """Note a request."""
        self.asked.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def canary():
    """Return a local server and the requests that it got."""
    asked: list = []
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Own", (Canary,), {"asked": asked})
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()


browser = pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium to look with")


def looked_at(page, folder):
    """Show a page in the browser; return its log and a screenshot."""
    (folder / "page.html").write_text(page, encoding="utf-8")
    call = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
        "--hide-scrollbars", f"--user-data-dir={folder / 'profile'}", "--window-size=900,1200",
        "--virtual-time-budget=2000", f"--screenshot={folder / 'page.png'}",
        f"file://{folder / 'page.html'}",
    ]  # fmt: skip
    done = subprocess.run(call, capture_output=True, text=True, timeout=120, check=True)
    from PIL import Image

    with Image.open(folder / "page.png") as picture:
        return done.stderr, picture.convert("RGB")


def ink(picture):
    """Return where the heading's dark pixels lie, as a share of the width."""
    import numpy as np

    dark = np.asarray(picture)[:70].max(axis=2) < 110
    return float(np.nonzero(dark)[1].mean()) / picture.width


@browser
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_browser_requests_nothing_for_the_page(tmp_path, language, canary):
    """Even with hostile texts; the style applies, and Arabic begins at the right."""
    server, asked = canary
    texts = [one.replace("CANARY", server) for one in HOSTILE]
    for page in (
        status(language, " ".join(texts)),
        notice_page(language, tmp_path, addresses=texts, text=" ".join(texts)),
    ):
        log, picture = looked_at(page, tmp_path)
        assert asked == []
        assert "Content Security Policy" not in log
        assert "CONSOLE" not in log
        colours = {colour for _, colour in picture.getcolors(1 << 24)}
        assert (0xF6, 0xF7, 0xF9) in colours
    assert (ink(picture) > 0.5) == (language == "ar")


@browser
def test_unescaped_texts_would_request_the_server(tmp_path, canary):
    """The check above can fail."""
    server, asked = canary
    body = "".join(one.replace("CANARY", server) for one in HOSTILE[:3])
    looked_at(f"<!doctype html><title>x</title><body>{body}", tmp_path)

    assert asked


def test_schemas_are_json():
    """Both name their version."""

    docs = REPOSITORY / "docs"
    for name in ("notice", "acknowledgement"):
        schema = json.loads((docs / f"{name}.schema.json").read_text(encoding="utf-8"))
        assert schema["properties"]["schema"]["const"] == f"screener-{name}/1"
