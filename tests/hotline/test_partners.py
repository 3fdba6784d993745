"""What an operator writes: partners and helplines, with errors that name the file and the field."""

import re
from datetime import date

import pytest

from screener.errors import HotlineError
from screener.hotline import helplines, partners
from screener.hotline.language.translator import translator
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


def test_a_file_of_partners_is_read_as_it_stands(tmp_path):
    """Every field; what is left out has a careful default; folders lie beside the file."""
    path = tmp_path / "partners.toml"
    path.write_text(WHOLE, encoding="utf-8")
    found = partners.load(path)

    assert found.hotline.name == "خط الإبلاغ"
    assert str(found.hotline.zone) == "Africa/Casablanca"
    assert found.hotline.terms == Terms(tlp="AMBER")
    meta, tiktok = found.named("meta"), found.named("tiktok")
    assert list(found.partners) == ["meta", "tiktok"]
    assert meta.folder == tmp_path / "out/meta"
    assert (meta.languages, meta.kinds) == (("en", "fr"), ("pdq", "md5"))
    assert meta.legal_basis == "article 2"
    assert str(tiktok.folder) == "/srv/tiktok"
    assert (tiktok.languages, tiktok.kinds, tiktok.audience) == (("en",), (), "clients")
    with pytest.raises(HotlineError, match="partner x; there are: meta, tiktok"):
        found.named("x")


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
        ("[hotline]", "hotline = 3\n[x]", "x is no field"),
        ("[hotline]", "[hotline", "is not TOML from column"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_field(tmp_path, old, new, field):
    """One mistake at a time, each with the file's name and the field's."""
    path = tmp_path / "partners.toml"
    assert old in WHOLE
    path.write_text(WHOLE.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(HotlineError, match=f"partners.toml.*{field}"):
        partners.load(path)


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("out/meta", "folder of meta too"),
        ("out/../out/META/", "folder of meta too"),
        ("out/meta/acknowledgements", "folder of meta too"),
        ("out", "folder of meta too"),
        ("link", "folder of meta too"),
        (".", "the hotline's own files"),
        ("..", "the hotline's own files"),
        ("hotline.list", "the hotline's own files"),
        ("hotline.list/to/tiktok", "the hotline's own files"),
        ("elsewhere", "the hotline's own files"),
    ],
)
def test_no_partner_reads_what_is_not_its_own(tmp_path, folder, why):
    """One folder for two, however it is written, one in another, or the hotline's own: refused, by
    the field of the second.
    """
    path = tmp_path / "partners.toml"
    (tmp_path / "link").symlink_to(tmp_path / "out" / "meta")
    (tmp_path / "hotline.list").symlink_to(tmp_path / "elsewhere" / "a.list")
    path.write_text(WHOLE.replace("/srv/tiktok", folder), encoding="utf-8")

    with pytest.raises(HotlineError, match=rf"partners\.tiktok\.folder.*{why}"):
        partners.load(path)
    for near in ("out/meta2", "out/tiktok"):
        path.write_text(WHOLE.replace("/srv/tiktok", near), encoding="utf-8")
        assert partners.load(path).named("tiktok").folder == tmp_path / near


def test_the_file_to_fill_in_can_be_read_as_it_is(tmp_path):
    """It names no partner and lets no hash go; with its lines uncommented it names one."""
    path = tmp_path / "partners.toml"
    path.write_text(partners.TEMPLATE)
    found = partners.load(path)
    assert (dict(found.partners), found.hotline.terms) == ({}, Terms())

    filled = re.sub("(?m)^# (?=\\[partners|[a-z_]+ = )", "", partners.TEMPLATE)
    path.write_text(filled)
    found = partners.load(path)
    assert found.named("example").languages == ("en", "fr", "ar")
    assert found.hotline.terms == Terms(tlp="AMBER")


def test_what_is_wrong_can_be_said_in_each_language(tmp_path):
    """The error carries its message and values apart."""
    path = tmp_path / "partners.toml"
    path.write_text(WHOLE.replace('name = "Meta"', "", 1), encoding="utf-8")
    with pytest.raises(HotlineError) as caught:
        partners.load(path)
    error = caught.value
    for code in LANGUAGES:
        told = translator(code)(error.message, **error.values)
        assert str(path) in told
        assert "partners.meta.name" in told
        assert (told == str(error)) == (code == "en")


def test_a_file_that_cannot_be_read_is_an_error_of_ours(tmp_path):
    """Absent, or not UTF-8."""
    with pytest.raises(HotlineError, match=r"none\.toml"):
        partners.load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'[hotline]\nname = "\xe9"\n')
    with pytest.raises(HotlineError, match=r"latin\.toml"):
        partners.load(tmp_path / "latin.toml")


def test_the_helplines_are_there_for_each_country_and_all_need_a_check():
    """Those that the hotline promises; none is claimed to have been checked by an operator."""
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
        assert "e-enfance" in helplines.unchecked_notice(found, translator(code))


def test_a_reporter_is_shown_those_of_the_country_in_an_order_that_helps():
    """Those that speak the language first, somebody to talk to first; of all countries where none
    is known, rather than nobody.
    """
    shown = [one.id for one in helplines.for_reporter("MA", "ar")]
    assert shown == ["emc-helpline", "iwf-morocco"]
    assert helplines.for_reporter("LU", "en")[0].id == "bee-secure-helpline"
    for country in (None, "US"):
        some = helplines.for_reporter(country, "ar")
        assert len(some) == len(helplines.load())
        assert some[0].id == "emc-helpline"


def test_an_operator_corrects_adds_and_removes(tmp_path):
    """Single fields of an entry, a new one, and one taken out; the check is a day."""
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
    notice = helplines.unchecked_notice(tuple(found.values()), translator("en"))
    assert "emc-helpline" not in notice
    assert "own" not in notice
    assert helplines.unchecked_notice((found["own"],), translator("en")) is None


@pytest.mark.parametrize(
    "text",
    ["[a]\nname = 'x'", "[own]\nname = 'x'\ncountry = 'Morocco'", "[e-enfance]\nphone = '<b>'",
     "[e-enfance]\nurl = 'javascript:alert(1)'", "[e-enfance]\nchecked = 'yes'", "e-enfance = 1",
     "[e-enfance]\nremove = 'yes'", "[e-enfance]\nhours = '9-17'", "[e-enfance]\nlanguages = []",
     "[e-enfance]\nlanguages = ['french']", "[e-enfance]\npurpose = 'sell'", "[e-enfance",
     "[e-enfance]\nname = ''"],
)  # fmt: skip
def test_a_correction_that_cannot_be_is_refused(tmp_path, text):
    """Named by its file, never half taken."""
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(HotlineError, match=r"mine\.toml"):
        helplines.load(path)


def test_a_line_tells_who_what_and_how_in_each_language():
    """Name, country, purpose, number, page and languages; numbers keep their order in Arabic."""
    for code in LANGUAGES:
        say = translator(code)
        (line,) = helplines.lines(helplines.for_reporter("FR", code), say)
        for part in ("3018 (e-Enfance)", "https://e-enfance.org/", say.country("FR")):
            assert part in line
    assert "\u20663018\u2069" in line or code != "ar"
    assert (
        "\u20663018\u2069"
        in helplines.lines(helplines.for_reporter("FR", "ar"), translator("ar"))[0]
    )
