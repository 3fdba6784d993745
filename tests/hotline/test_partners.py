"""The operator's files: partners and helplines, with errors that name file and field."""

import re
from datetime import date

import pytest

from screener.errors import HotlineError
from screener.hotline import helplines, partners
from screener.hotline.language.translator import get_translator
from screener.hotline.model.case import LANGUAGES
from screener.lists.terms import Terms

WHOLE = """
[hotline]
name = "خط الإبلاغ"
contact = "duty@hotline.example"
zone = "Africa/Casablanca"
legal_basis = "article 1"
tlp = "AMBER"

[partners.meta]
name = "Meta"
folder = "out/meta"
languages = ["en", "fr"]
kinds = ["pdq", "md5"]
audience = "clients"
contact = "trust@meta.example"
legal_basis = "article 2"

[partners.tiktok]
name = "TikTok"
folder = "/srv/tiktok"
"""


def test_every_field_of_a_partners_file_is_read(tmp_path):
    """Defaults are careful; folders are relative to the file."""
    path = tmp_path / "partners.toml"
    path.write_text(WHOLE, encoding="utf-8")
    found = partners.load(path)

    assert found.hotline.name == "خط الإبلاغ"
    assert str(found.hotline.zone) == "Africa/Casablanca"
    assert found.hotline.terms == Terms(tlp="AMBER")
    meta, tiktok = found.get("meta"), found.get("tiktok")
    assert list(found.partners) == ["meta", "tiktok"]
    assert meta.folder == tmp_path / "out/meta"
    assert (meta.languages, meta.kinds) == (("en", "fr"), ("pdq", "md5"))
    assert meta.legal_basis == "article 2"
    assert str(tiktok.folder) == "/srv/tiktok"
    assert (tiktok.languages, tiktok.kinds, tiktok.audience) == (("en",), (), "clients")
    with pytest.raises(HotlineError, match="partner x; there are: meta, tiktok"):
        found.get("x")


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('name = "Meta"', "", "partners.meta.name"),
        ('name = "Meta"', 'name = " "', "partners.meta.name"),
        ('name = "Meta"', "name = 3", "partners.meta.name"),
        ('name = "Meta"', 'name = "a\\nb"', "partners.meta.name"),
        ('name = "Meta"', 'name = "a\\u202eb"', "partners.meta.name"),
        ('folder = "out/meta"', "", "partners.meta.folder"),
        ('["en", "fr"]', '["en", "de"]', "partners.meta.languages"),
        ('["en", "fr"]', '"en"', "partners.meta.languages"),
        ('["en", "fr"]', "[]", "partners.meta.languages"),
        ('["pdq", "md5"]', '["pdq", "crc"]', "partners.meta.kinds"),
        ('["pdq", "md5"]', "[[1]]", "partners.meta.kinds"),
        ('"clients"', '"own"', "partners.meta.audience"),
        ('audience = "clients"', 'audiense = "clients"', "partners.meta.audiense"),
        ("[partners.meta]", '[partners."../meta"]', r"partners.\.\./meta"),
        ("[partners.meta]", '[partners.""]', "partners."),
        ('"Africa/Casablanca"', '"Africa/Nowhere"', "hotline.zone"),
        ('"Africa/Casablanca"', '"../etc/passwd"', "hotline.zone"),
        ('tlp = "AMBER"', 'tlp = "amber"', "hotline.tlp"),
        ("[hotline]", "[hotlines]", "hotlines"),
        ("[hotline]", "hotline = 3\n[x]", "x is not a field"),
        ("[hotline]", "[hotline", "is not TOML from column"),
    ],
)
def test_a_mistake_is_named_by_file_and_field(tmp_path, old, new, field):
    """One at a time."""
    path = tmp_path / "partners.toml"
    assert old in WHOLE
    path.write_text(WHOLE.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(HotlineError, match=f"partners.toml.*{field}"):
        partners.load(path)


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("out/meta", "folder of meta,"),
        ("out/../out/META/", "folder of meta,"),
        ("out/meta/acknowledgements", "folder of meta,"),
        ("out", "folder of meta,"),
        ("link", "folder of meta,"),
        (".", "the hotline's own files"),
        ("..", "the hotline's own files"),
        ("hotline.list", "the hotline's own files"),
        ("hotline.list/to/tiktok", "the hotline's own files"),
        ("elsewhere", "the hotline's own files"),
    ],
)
def test_partners_cannot_share_or_nest_folders(tmp_path, folder, why):
    """Nor use the hotline's, however the path is written."""
    path = tmp_path / "partners.toml"
    (tmp_path / "link").symlink_to(tmp_path / "out" / "meta")
    (tmp_path / "hotline.list").symlink_to(tmp_path / "elsewhere" / "a.list")
    path.write_text(WHOLE.replace("/srv/tiktok", folder), encoding="utf-8")

    with pytest.raises(HotlineError, match=rf"partners\.tiktok\.folder.*{why}"):
        partners.load(path)
    for near in ("out/meta2", "out/tiktok"):
        path.write_text(WHOLE.replace("/srv/tiktok", near), encoding="utf-8")
        assert partners.load(path).get("tiktok").folder == tmp_path / near


def test_the_template_is_valid(tmp_path):
    """It names no partner; uncommented, it names one."""
    path = tmp_path / "partners.toml"
    path.write_text(partners.TEMPLATE)
    found = partners.load(path)
    assert (dict(found.partners), found.hotline.terms) == ({}, Terms())

    filled = re.sub("(?m)^# (?=\\[partners|[a-z_]+ = )", "", partners.TEMPLATE)
    path.write_text(filled)
    found = partners.load(path)
    assert found.get("example").languages == ("en", "fr", "ar")
    assert found.hotline.terms == Terms(tlp="AMBER")


def test_errors_can_be_translated(tmp_path):
    """They carry message and values."""
    path = tmp_path / "partners.toml"
    path.write_text(WHOLE.replace('name = "Meta"', "", 1), encoding="utf-8")
    with pytest.raises(HotlineError) as caught:
        partners.load(path)
    error = caught.value
    for code in LANGUAGES:
        output = get_translator(code)(error.message, **error.values)
        assert str(path) in output
        assert "partners.meta.name" in output
        assert (output == str(error)) == (code == "en")


def test_an_unreadable_file_is_a_hotline_error(tmp_path):
    """Missing, or not UTF-8."""
    with pytest.raises(HotlineError, match=r"none\.toml"):
        partners.load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'[hotline]\nname = "\xe9"\n')
    with pytest.raises(HotlineError, match=r"latin\.toml"):
        partners.load(tmp_path / "latin.toml")


def test_each_country_has_helplines_and_none_is_checked():
    """As the package ships them."""
    found = helplines.load()
    by_country = {}
    for one in found:
        by_country.setdefault(one.country, []).append(one.id)
        assert one.checked is None
        assert one.phone or one.url

    assert by_country["MA"] == ["emc-helpline", "iwf-morocco"]
    assert {"FR", "LU", "BE"} <= by_country.keys()
    assert {one.phone for one in found} >= {"3018", "116000"}
    for code in LANGUAGES:
        assert "e-enfance" in helplines.warn_of_unchecked(found, get_translator(code))


def test_helplines_are_sorted_for_the_reporter():
    """Language first, then those to talk to; all countries if none is known."""
    shown = [one.id for one in helplines.select_for_reporter("MA", "ar")]
    assert shown == ["emc-helpline", "iwf-morocco"]
    assert helplines.select_for_reporter("LU", "en")[0].id == "bee-secure-helpline"
    for country in (None, "US"):
        some = helplines.select_for_reporter(country, "ar")
        assert len(some) == len(helplines.load())
        assert some[0].id == "emc-helpline"


def test_an_operator_corrects_adds_and_removes_helplines(tmp_path):
    """Single fields, whole entries, and the day of the check."""
    path = tmp_path / "mine.toml"
    path.write_text(
        '[emc-helpline]\nphone = "+212 5 00"\nchecked = "2026-11-25"\n'
        "[child-focus]\nremove = true\n"
        '[own]\nname = "Own"\ncountry = "SN"\nlanguages = ["fr"]\npurpose = "help"\n'
        "checked = 2026-11-24\n"
    )
    found = {one.id: one for one in helplines.load(path)}

    assert found["emc-helpline"].phone == "+212 5 00"
    assert found["emc-helpline"].checked == date(2026, 11, 25)
    assert found["emc-helpline"].country == "MA"
    assert found["own"].checked == date(2026, 11, 24)
    assert "child-focus" not in found
    notice = helplines.warn_of_unchecked(tuple(found.values()), get_translator("en"))
    assert "emc-helpline" not in notice
    assert "own" not in notice
    assert helplines.warn_of_unchecked((found["own"],), get_translator("en")) is None


@pytest.mark.parametrize(
    "text",
    ["[a]\nname = 'x'", "[own]\nname = 'x'\ncountry = 'Morocco'", "[e-enfance]\nphone = '<b>'",
     "[e-enfance]\nurl = 'javascript:alert(1)'", "[e-enfance]\nchecked = 'yes'", "e-enfance = 1",
     "[e-enfance]\nremove = 'yes'", "[e-enfance]\nhours = '9-17'", "[e-enfance]\nlanguages = []",
     "[e-enfance]\nlanguages = ['french']", "[e-enfance]\npurpose = 'sell'", "[e-enfance",
     "[e-enfance]\nname = ''"],
)  # fmt: skip
def test_an_invalid_correction_is_refused(tmp_path, text):
    """By the file's name, as a whole."""
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(HotlineError, match=r"mine\.toml"):
        helplines.load(path)


def test_the_line_of_a_helpline_in_each_language():
    """Name, country, purpose, number, page and languages; numbers stay left to right."""
    for code in LANGUAGES:
        translate = get_translator(code)
        (line,) = helplines.format_lines(helplines.select_for_reporter("FR", code), translate)
        for part in ("3018 (e-Enfance)", "https://e-enfance.org/", translate.country_name("FR")):
            assert part in line
    assert "\u20663018\u2069" in line or code != "ar"
    french = helplines.select_for_reporter("FR", "ar")
    assert "\u20663018\u2069" in helplines.format_lines(french, get_translator("ar"))[0]
