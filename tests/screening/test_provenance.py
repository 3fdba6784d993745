"""The pixel pipeline's version in hashes and lists, and the warning about other versions."""

import logging

from command_process import screener

from screener import HashList, Policy, Screener
from screener.cli import streams
from screener.cli.streams import print_warnings
from screener.hashing.hash import KINDS
from screener.media.image import pixels
from screener.screening.input.hash_item import hash_item

HASH = "0123456789abcdef" * 4


def test_every_perceptual_hash_has_the_pipelines_version(scene):
    """All kinds in all orientations; digests, which are of bytes, have none."""
    hashed = hash_item(scene(1), policy=Policy(), kinds=KINDS.values()).hashes
    perceptual = [one.hash for one in hashed if one.hash.kind.perceptual]
    assert len(perceptual) == 8 * sum(kind.perceptual for kind in KINDS.values())
    assert {one.pixels for one in perceptual} == {pixels.VERSION}
    assert {one.hash.pixels for one in hashed if one.hash.kind.digest} <= {None}


def test_a_list_from_another_pipeline_warns_once(make_list, caplog):
    """Its hashes are still compared."""
    known = make_list(
        [{"id": "a", "pdq": HASH, "pixels": "1"}, {"id": "b", "pixels": "7", "md5": "ab" * 16}]
    )
    assert known.pixels() == {1, 7}
    with caplog.at_level(logging.WARNING, "screener"):
        Screener(known)
        Screener(known)
        Screener(HashList.open(known.path))
    (message,) = [record.getMessage() for record in caplog.records]
    assert "version 7 of the pixel pipeline, and this is version 1" in message
    assert HASH not in message


def test_a_list_of_this_or_an_unknown_version_does_not_warn(make_list, caplog):
    """Rows of this version, of none, or with an unreadable version."""
    rows = [
        {"id": "a", "pdq": HASH, "pixels": version} for version in ("1", "", "one", "-3", "9" * 40)
    ]
    known = make_list([row | {"id": str(number)} for number, row in enumerate(rows)])
    assert known.pixels() == {1}
    with caplog.at_level(logging.WARNING, "screener"):
        Screener(known)
        Screener(make_list([{"id": "a", "pdq": HASH}], name="silent"))
    assert caplog.records == []


def test_an_export_keeps_the_version(make_list, tmp_path):
    """The neutral CSV has the column, and importing it reads the same."""
    known = make_list([{"id": "a", "pdq": HASH, "pixels": "7"}])
    known.export(tmp_path / "out.csv", format="csv", audience="own")
    again = HashList.create(tmp_path / "again.list")
    again.import_file(tmp_path / "out.csv", source="test")
    assert again.refresh().pixels() == {7}


def test_commands_warn_once(tmp_path):
    """Import, info and scan print one line on standard error, without a value."""
    rows = "".join(f"{n},{n:064x},{pixels.VERSION + n}\n" for n in (1, 2, 0))
    (tmp_path / "a.csv").write_text(f"id,pdq,pixels\n{rows}")
    (tmp_path / "b.csv").write_text(f"id,pdq,pixels\nx,{HASH},{pixels.VERSION}\n")
    known = tmp_path / "a.list"

    runs = [
        screener("import", tmp_path / "a.csv", tmp_path / "b.csv", "--into", known),
        screener("info", known, "--json"),
        screener("scan", tmp_path / "b.csv", "--list", known, "--json-progress"),
    ]

    others = f"{pixels.VERSION + 1}, {pixels.VERSION + 2}"
    for done in runs:
        (line,) = [one for one in done.stderr.splitlines() if "pixel pipeline" in one]
        assert line.startswith(f"screener: the list a holds hashes made by version {others} of")
        assert "pixel pipeline" not in done.stdout


def test_a_repeated_warning_prints_once_without_control_characters(capsys):
    """Different warnings all print."""
    log = logging.getLogger("screener.of_a_test")
    print_warnings()
    try:
        for _ in range(2):
            log.warning("odd \x1b[31m%s", "name")
            log.info("nothing")
        log.error("another")
    finally:
        logging.getLogger("screener").removeHandler(streams._WARNING_PRINTER)

    assert capsys.readouterr().err == "screener: odd \ufffd[31mname\nscreener: another\n"
