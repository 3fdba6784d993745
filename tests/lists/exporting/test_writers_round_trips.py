"""What a reader reads and its writer writes reads back equal, for the formats with room for less
than a record says: all that the format can carry, several hashes and opinions an entry included.
"""

import json
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from writer_cases import VIDEO, as_entry, by_entry, made, read, written

from screener.hashing.hash import KINDS
from screener.lists.exporting.writers.entry import Wants
from screener.lists.formats import vics
from screener.lists.formats.ncmec_xml import NAMESPACE
from screener.lists.states import MATCHING, State

FEW = settings(max_examples=120, deadline=None)
NUMBER = st.integers(0, 12)  # few, so that entries meet on a hash
# XML cannot write most control characters, and folds a carriage return.
XML_TEXT = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12
).filter(lambda text: text.strip() == text)
JSON_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


def carried(rows, *labels):
    """Return the parts of each entry that must read back, with these labels."""
    return {
        name: (
            row.state,
            frozenset(row.categories),
            row.updated,
            frozenset(row.hashes),
            {label: row.labels.get(label) for label in labels},
        )
        for name, row in by_entry(rows).items()
    }


def again(format, rows, wants=None, **said):
    """Return the rows written and read again, and the tally."""
    entries = [as_entry(name, row) for name, row in by_entry(rows).items()]
    text, tally = written(format, entries, wants or Wants())
    return read(format, text, **said), tally


def escaped(text):
    """Return text as XML writes it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


@st.composite
def ncmec_element(draw):
    """Draw an image, a video or a tombstone of NCMEC's."""
    video, deleted = draw(st.booleans()), draw(st.booleans())
    name = "video" if video else "image"
    member, number = draw(st.integers(1, 3)), draw(XML_TEXT)
    # From 1990 on: what is before is no time, and is not written.
    when = datetime.fromtimestamp(draw(st.integers(631_152_000, 2_000_000_000)), UTC)
    head = (
        f'<member id="{member}">{escaped(draw(XML_TEXT))}</member>'
        f"<timestamp>{when:%Y-%m-%dT%H:%M:%SZ}</timestamp><id>{escaped(number)}</id>"
    )
    if deleted:
        name = f"deleted{name.title()}"
        return video, (member, number), f"<{name}>{head}</{name}>"
    code = draw(st.none() | st.sampled_from(["A1", "A2", "B1", "B2"]))
    names = {"md5": "md5", "sha1": "sha1", "pdna": "photodna", "pdq": "pdq"}
    prints = "".join(
        f"<{element}>{made(kind, draw(NUMBER)).text}</{element}>"
        for element, kind in names.items()
        for _ in range(draw(st.integers(0, 2)) if element != "md5" else 1)
    )
    said = "" if code is None else f"<classification>{code}</classification>"
    body = f"{head}{said}<fingerprints>{prints}</fingerprints><feedback/>"
    return video, (member, number), f"<{name}>{body}</{name}>"


@given(st.lists(ncmec_element(), max_size=6, unique_by=lambda found: found[1]))
@FEW
def test_ncmec_xml_reads_back_equal(elements):
    """Members, ids, tombstones, classes, times, images and videos, two hashes of a kind."""
    parts = {v: "".join(text for w, _, text in elements if w is v) for v in (False, True)}
    text = (
        f'<queryResult xmlns="{NAMESPACE}"><images>{parts[False]}</images>'
        f"<videos>{parts[True]}</videos></queryResult>"
    )
    rows = read("ncmec", text)

    back, tally = again("ncmec", rows)

    assert carried(back, "media") == carried(rows, "media")
    assert tally.records == len(elements) == len(by_entry(rows))
    assert not tally.left_out


def matching_codes(scheme):
    """Return the categories of a scheme that match."""
    return [code for code, state in vics.SCHEMES[scheme].items() if state in MATCHING]


@st.composite
def vics_item(draw, scheme):
    """Draw a medium as a Project VIC tool writes it."""
    item = {
        "MediaID": draw(st.integers(0, 3)),
        "Category": int(draw(st.sampled_from(matching_codes(scheme)))),
        "MD5": made("md5", draw(NUMBER)).text.upper(),
        "Series": draw(JSON_TEXT),
        "VictimIdentified": draw(st.sampled_from([True, False, "true", None])),
        "VendorField": draw(st.dictionaries(JSON_TEXT, st.integers(), max_size=2)),
    }
    if draw(st.booleans()):
        item["SHA1"] = made("sha1", draw(NUMBER)).text.upper()
    if draw(st.booleans()):
        item["PhotoDNA"] = made("photodna", draw(NUMBER)).text
    others = draw(
        st.lists(st.tuples(st.sampled_from(["PDQ", "SHA256", "PhotoDNA"]), NUMBER), max_size=3)
    )
    item["AlternativeHashes"] = [
        {"HashName": name, "HashValue": made(name.lower(), number).text} for name, number in others
    ]
    if draw(st.booleans()):
        item["DateUpdated"] = draw(st.datetimes()).isoformat()
    return item


@given(st.sampled_from(sorted(vics.SCHEMES)), st.data())
@FEW
def test_vics_json_reads_back_equal(scheme, data):
    """Categories, also several with one MD5, times, and hashes by field and by name."""
    items = data.draw(st.lists(vics_item(scheme), max_size=6))
    context = "http://x/DataModels/2.0.xml/CUSTOM/$metadata#Media"
    text = json.dumps({"@odata.context": context, "value": items})
    rows = read("vics", text, scheme=scheme)
    table = Wants({(scheme, code): int(code) for code in matching_codes(scheme)})

    back, tally = again("vics", rows, table, scheme=scheme)

    assert carried(back) == carried(rows)
    assert tally.records == len({item["MD5"] for item in items})
    assert not tally.left_out


@st.composite
def hma_content(draw):
    """Draw an enabled content of a bank, with any signals and unknown fields."""
    kinds = draw(st.sets(st.sampled_from(sorted({*KINDS} - VIDEO)), min_size=1, max_size=4))
    signals = {
        "video_md5" if kind == "md5" and draw(st.booleans()) else kind: made(
            kind, draw(NUMBER)
        ).text
        for kind in kinds
    }
    return {
        "id": draw(st.integers(0, 10**15)),
        "disable_until_ts": draw(st.sampled_from([1, 5, None])),
        "original_media_uri": None,
        "bank": {"name": draw(st.sampled_from(["A", "B_2"])), "matching_enabled_ratio": 1.0},
        "signals": signals,
        "metadata": {"content_id": draw(JSON_TEXT), "json": {}},
        "note": draw(JSON_TEXT),
        "vendor_field": draw(JSON_TEXT),
    }


@given(
    st.lists(
        hma_content(), min_size=1, max_size=6, unique_by=lambda c: (c["id"], c["bank"]["name"])
    )
)
@FEW
def test_hma_json_reads_back_equal(contents):
    """Banks, ids, signals of every type, and whether an MD5 is that of a video."""
    rows = read("hma", json.dumps(contents))

    back, tally = again("hma", rows)

    assert carried(back, "media", "bank") == carried(rows, "media", "bank")
    assert tally.records == len(contents)
    assert {row.state for row in back} == {State.CONFIRMED}
