"""Translations are complete, and numbers and dates follow each language."""

import ast
import hashlib
import re
import string
import sys
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import message_catalogues
import pytest
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

import screener
from screener.errors import HotlineError, printable
from screener.hotline.language import translator as language
from screener.hotline.language.sentence import describe_os_error, from_json, mark, to_json
from screener.hotline.language.translator import detect_language, get_translator
from screener.hotline.model.addresses import defang
from screener.hotline.model.case import LANGUAGES, Case
from screener.hotline.pages import case_text

PACKAGE = Path(screener.__file__).parent
FORMS = {"ar": 6, "fr": 2}
RABAT = timezone(timedelta(hours=1))


def placeholders(text):
    """Return the placeholders of a text."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.fixture(scope="module")
def messages():
    """Return all messages of the sources and the help: texts, and pairs of singular and plural."""
    both = (*message_catalogues.extracted(PACKAGE), *message_catalogues.helps())
    found = [message.id for message in both if message.id]
    assert len(found) >= 300
    return found


@pytest.mark.parametrize("code", FORMS)
def test_every_message_has_a_translation_in_every_form(messages, code):
    """Six plural forms in Arabic, two in French."""
    found = language.load_catalogue(code)
    assert found.num_plurals == FORMS[code]
    known = {message.id: message for message in found if message.id}

    assert [one for one in messages if one not in known] == []
    for key, message in known.items():
        texts = message.string if isinstance(key, tuple) else (message.string,)
        assert len(texts) == (FORMS[code] if isinstance(key, tuple) else 1), key
        assert all(text.strip() or text == key for text in texts), key
        assert not message.fuzzy, key


@pytest.mark.parametrize("code", FORMS)
def test_translations_have_the_placeholders_of_their_message(code):
    """The number may be a word in the forms of 0, 1 and 2."""
    for message in language.load_catalogue(code):
        if isinstance(message.id, tuple):
            wanted = placeholders(message.id[1])
            for form, text in enumerate(message.string):
                spared = {"n"} if form < FORMS[code] // 2 else set()
                assert placeholders(text) | spared == wanted | spared, (message.id, form)
        elif message.id:
            assert placeholders(message.string) == placeholders(message.id), message.id


def test_french_punctuation_has_non_breaking_spaces():
    """Before colon, semicolon, question and exclamation mark, and inside guillemets."""
    for message in language.load_catalogue("fr"):
        for text in (message.string,) if isinstance(message.string, str) else message.string:
            assert message.id == "" or not re.search(r" [:;?!»]|« |\w[:;?!](\s|$)", text), text


def test_the_search_finds_every_message(tmp_path):
    """Calls, marks and plurals, also inside f-strings."""
    for name in ("hotline", "cli"):
        (tmp_path / name).mkdir()
    (tmp_path / "hotline" / "a.py").write_text(
        'def f(translate):\n    return translate("one" " two")\n'
    )
    (tmp_path / "cli" / "b.py").write_text(
        "import screener.hotline\nX = mark('three')\n"
        "Y = self.translate.plural('{n} a', '{n} b', 4)\n"
        "Z = f'<p>{translate(\"four\")}</p>' + translate(X) + translate(NAMES['five'])\n"
    )
    (tmp_path / "cli" / "other.py").write_text('translate("of no concern")\n')

    found = {message.id for message in message_catalogues.extracted(tmp_path) if message.id}
    assert found == {"one two", "three", "four", ("{n} a", "{n} b")}


def is_marked(node):
    """Return whether an error's argument is marked, or a name of something marked."""
    return not isinstance(node, ast.JoinedStr | ast.BinOp) and not (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def unmarked(source):
    """Return the lines of a module that raise an error with an unmarked text."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
            continue
        name = getattr(node.exc.func, "id", getattr(node.exc.func, "attr", ""))
        arguments = node.exc.args
        if name in ("TypeError", "ValueError"):  # what a caller of the library does wrong
            continue
        if name == "UnreadError":  # the first is the code of a reason
            arguments = arguments[1:]
        if name == "error":  # the second is the name of a field
            arguments = arguments[:1]
        found += [node.lineno for one in arguments if not is_marked(one)]
    return found


def test_raised_messages_are_marked_for_translation():
    """No sentence on a terminal is English only."""
    hidden = {
        str(path): unmarked(path.read_text("utf-8")) for path in message_catalogues.sources(PACKAGE)
    }
    assert {name: lines for name, lines in hidden.items() if lines} == {}
    assert unmarked('raise HotlineError("x")\nraise A(f"{x}")\nraise UnreadError("a", "b")') == [
        1, 2, 3,
    ]  # fmt: skip
    assert unmarked('raise HotlineError(mark("x"))\nraise E(message)\nraise') == []


def texts(depth=2):
    """Generate texts, and sentences of texts, numbers and sentences."""
    values = st.text() | st.integers(-9, 10**6)
    if depth:
        values |= texts(depth - 1)
    return st.text(max_size=9) | st.builds(
        lambda one, other: mark("{one} of {other}", one=one, other=other), values, values
    )


@given(texts())
def test_a_recorded_sentence_can_be_translated_later(text):
    """What somebody wrote is never translated."""
    again = from_json(to_json(text))
    assert again == text
    assert type(again) is type(text)
    for code in LANGUAGES:
        assert get_translator(code).render(again) == get_translator(code).render(text)
    assert from_json(to_json("none")) == get_translator("ar").render("none").strip("\u2068\u2069")


def test_sentences_inside_a_sentence_are_translated():
    """Errors too; numbers and foreign words stay."""
    inner = mark("{file} cannot be read: {why}", file="a", why=mark("it is empty"))
    translate = get_translator("fr")
    assert translate.render(inner) == "a est illisible\u00a0: il est vide"
    assert translate.render(HotlineError(inner.message, **inner.values)) == translate.render(inner)
    assert (
        translate("{file}: {why}", file="b", why=inner)
        == "b\u00a0: a est illisible\u00a0: il est vide"
    )
    assert translate.render("it is empty") == "it is empty"
    assert str(inner) == "a cannot be read: it is empty"


def test_common_system_errors_have_a_sentence():
    """Rare ones keep the system's words."""
    assert describe_os_error(FileNotFoundError(2, "No such file or directory")) == "it is not there"
    assert get_translator("fr").render(describe_os_error(OSError(28, "x"))) == "le disque est plein"
    assert describe_os_error(OSError(125, "Operation canceled")) == "Operation canceled"
    assert describe_os_error(OSError("odd")) == "OSError"


def test_without_babel_the_error_is_in_all_languages(monkeypatch):
    """No catalogue can be read."""
    monkeypatch.setitem(sys.modules, "babel.messages.pofile", None)
    with pytest.raises(HotlineError, match=r"extra.*supplément.*إضافية.*pip install"):
        language.load_catalogue("ar")


@pytest.mark.parametrize("n", [0, 1, 999, 1000, -1234, 12_345_678])
def test_english_counts_need_no_babel(monkeypatch, n):
    """As `screener report` prints."""
    translate = get_translator("en")
    expected = format_decimal(n, "#,##0.#", locale="en")
    monkeypatch.setitem(sys.modules, "babel.numbers", None)

    assert translate.plural("{n} line", "{n} lines", n) == f"{expected} line{'' if n == 1 else 's'}"


@pytest.mark.parametrize(
    ("n", "text"),
    [(1, "ساعة واحدة"), (2, "ساعتان"), (3, "3 ساعات"), (10, "10 ساعات"), (11, "11 ساعة"),
     (24, "24 ساعة"), (100, "100 ساعة"), (103, "103 ساعات")],
)  # fmt: skip
def test_arabic_plurals_follow_the_grammar(n, text):
    """One, two, 3 to 10, 11 to 99, and hundreds."""
    assert get_translator("ar").duration(timedelta(hours=n)) == text


def test_no_arabic_noun_follows_a_number_of_any_size():
    """The message has plural forms, or the noun stands elsewhere."""
    for message in language.load_catalogue("ar"):
        if isinstance(message.id, str):
            assert not re.search(r"{(n|most|more)} \w+ًا", message.string), message.id


def test_durations_are_rounded_down_to_minutes():
    """A clock must not show time that is not left."""
    translate = {code: get_translator(code) for code in LANGUAGES}
    length = timedelta(hours=5, minutes=59, seconds=59)

    assert translate["en"].duration(length) == "5 hours and 59 minutes"
    assert translate["fr"].duration(length) == "5 heures et 59 minutes"
    assert translate["ar"].duration(length) == "5 ساعات و59 دقيقة"
    assert translate["en"].duration(timedelta(seconds=59)) == "0 minutes"
    assert translate["fr"].duration(timedelta(0)) == "0 minute"
    assert translate["en"].duration(-timedelta(hours=1)) == "1 hour"


def test_dates_use_the_countrys_months_and_digits():
    """With the UTC offset of the zone."""
    at = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)

    assert get_translator("ar").day(date(2026, 8, 1)) == "1 غشت 2026"
    assert get_translator("ar").moment(at, RABAT) == "26 نونبر 2026، 00:30 (UTC+01:00)"
    assert get_translator("fr").moment(at) == "25 novembre 2026, 23:30 (UTC)"
    assert get_translator("en").moment(at) == "25 November 2026, 23:30 (UTC)"
    assert get_translator("fr").day(date(2026, 12, 1)) == "1er décembre 2026"
    assert (
        get_translator("fr")
        .moment(datetime(2026, 11, 30, 23, 30, tzinfo=UTC), RABAT)
        .startswith("1er décembre 2026, 00:30")
    )
    assert get_translator("en").day(date(2026, 12, 1)) == "1 December 2026"
    with pytest.raises(ValueError, match="zone"):
        get_translator("en").moment(datetime(2026, 11, 25))


def test_a_share_is_0_or_100_percent_only_if_exact():
    """One of a thousand does not vanish in rounding."""
    assert get_translator("en").share(1) == "100%"
    assert get_translator("en").share(0.9999) == "99.9%"
    assert get_translator("en").share(0.00001) == "0.1%"
    assert get_translator("en").share(0) == "0%"
    assert get_translator("fr").share(2 / 3) == "66,7\u00a0%"


@given(st.text(max_size=40))
def test_a_foreign_value_is_isolated_on_one_line(text):
    """If its letters could turn the text around it."""
    for code in LANGUAGES:
        for shown, isolate in (
            (get_translator(code).isolate(text), "\u2068"),
            (get_translator(code).isolate_ltr(text), "\u2066"),
        ):
            apart = shown.startswith(isolate)
            inner = shown[1:-1] if apart else shown
            assert inner == printable(text)
            assert inner.isprintable()
            assert len(inner) == len(text)
            assert not apart or shown.endswith("\u2069")
            strong = {unicodedata.bidirectional(c) for c in inner} & {"R", "AL", "AN"}
            assert apart == (code == "ar" or bool(strong))


@pytest.mark.parametrize("code", LANGUAGES)
def test_addresses_of_a_case_are_left_to_right(code):
    """Also one with an Arabic host."""
    address = "مثال.إختبار/صفحة/12"
    case = Case("C-A", "received", datetime(2026, 3, 1, tzinfo=UTC), ("1",), addresses=(address,))
    lines = case_text.format_details(case, get_translator(code), now=case.received)
    assert sum(f"\u2066{defang(address)}\u2069" in line for line in lines) == 1


def test_braces_in_a_value_are_only_text():
    """A value is never taken for a placeholder."""
    text = get_translator("fr")(
        "No native speaker has reviewed these texts yet: {languages}. They sign in"
        " locale/REVIEWED.toml.",
        languages="{languages.__class__} {0}",
    )
    assert "{languages.__class__} {0}" in text


def test_a_translation_with_wrong_placeholders_falls_back_to_english(monkeypatch):
    """An unreadable catalogue is named."""
    message = "{time} left"
    for slip in ("reste {tmie}", "reste {time", "reste {}", "reste {time.__class__}", "reste }"):
        text = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        text += f'msgid "{message}"\nmsgstr "{slip}"\n\nmsgid "State"\nmsgstr "Etat"\n'
        monkeypatch.setattr(language, "_read_catalogue", lambda _, text=text: text.encode())
        translate = language.Translator(
            "fr", language._compile_catalogue(language.load_catalogue("fr"))
        )
        assert translate(message, time="1 h") == "1 h left"
        assert translate("State") == "Etat"
    monkeypatch.setattr(language, "_read_catalogue", lambda _: b'msgid "a\nmsgstr b\n\xff')
    with pytest.raises(HotlineError, match=r"fr/LC_MESSAGES/screener\.po"):
        language.load_catalogue("fr")


def test_a_signature_is_valid_for_one_version_of_the_texts():
    """Unsigned texts are unreviewed."""
    text = language._read_catalogue("ar")
    whole = {"by": "a reader", "on": "2026-11-25", "sha256": hashlib.sha256(text).hexdigest()}

    assert language._is_signed(whole, text)
    assert not language._is_signed(whole, text + b"\n")
    assert not language._is_signed(whole | {"by": " "}, text)
    assert not language._is_signed({}, text)
    assert set(language.list_unreviewed()) <= {"ar", "fr"}


def test_unknown_languages_are_refused_and_locales_default_to_english():
    """With a typed error."""
    with pytest.raises(HotlineError, match="ar, fr, en"):
        get_translator("de")
    assert detect_language({"LANG": "ar_MA.UTF-8"}) == "ar"
    assert detect_language({"LANG": "ar_MA.UTF-8", "LC_ALL": "fr_FR"}) == "fr"
    assert detect_language({"LANG": "de_DE"}) == detect_language({}) == "en"
