"""`screener import`: what it prints, what it refuses, and what is left then."""

import io
import json

from command_process import generation, refused, screener, value
from list_values import putting
from rich.console import Console

from screener import HashList
from screener.cli.list_text import print_import


def test_a_refused_file_reports_how_many_later_files_were_not_imported(known, tmp_path):
    """Earlier files are in the list; later ones may hold withdrawals."""
    good, bad, later = (tmp_path / name for name in ("good.csv", "bad.csv", "later.csv"))
    for file in (good, later):
        file.write_text(f"id,md5\n{file.stem},{value(77)}\n")
    bad.write_text("no list\n")

    done = screener("import", good, bad, later, "--into", known, "--source", "x")

    assert done.returncode == 2
    assert "later files not imported either: 1" in done.stderr
    assert generation(known) == 3
    last = screener("import", later, bad, "--into", known, "--source", "x")
    assert (last.returncode, "later files" in last.stderr) == (2, False)


def test_withdrawals_without_an_entry_are_counted(tmp_path):
    """Summary and log count them; the log also says that the list was full."""
    rows = tmp_path / "rows.csv"
    rows.write_text(f"md5,sha1,status\n{value(1)},,withdrawn\n{value(2)},{value(2, 20)},\n")

    done = screener("import", rows, "--into", tmp_path / "k.list", "--source", "s", "--full",
                    "--ids-from-hashes")  # fmt: skip

    assert "1 withdrawal ignored: this source never listed that entry" in done.stderr
    told = " ".join(screener("log", tmp_path / "k.list").stdout.split())
    assert "(s, a full list): " in told
    assert ", 1 withdrawal without entry" in told


def test_of_thousands_of_label_columns_the_first_twenty_are_named(tmp_path):
    """The number of the others follows."""
    put = putting(HashList.create(tmp_path / "k.list"), tmp_path)
    page = Console(file=io.StringIO(), width=200)

    print_import(page, "file.csv", put(f"id,md5{',c{}' * 5000}\n".format(*range(5000))))

    told = " ".join(page.file.getvalue().split())
    assert "columns stored as labels: c0, c1, " in told
    assert ", c19 and 4980 more" in told


def test_a_file_of_another_name_is_another_source(tmp_path):
    """Without --source, it does not withdraw the first file's entries, and a note says so."""
    first, second = tmp_path / "agency-2026-11-25.csv", tmp_path / "agency-2026-11-26.csv"
    first.write_text(f"id,md5,status\nE1,{value(1)},active\n")
    second.write_text(f"id,md5,status\nE1,{value(1)},withdrawn\n")
    into = ("--into", tmp_path / "k.list")

    told = [screener("import", *call, *into).stderr for call in ((first,), (first,), (second,))]

    assert ["no --source was given" in said for said in told] == [False, False, True]
    assert "1 withdrawal ignored: this source never listed that entry" in told[-1]
    named = screener("import", second, *into, "--source", first.stem).stderr
    assert ("no --source" in named, "had not listed here" in named) == (False, False)
    assert "1 changed" in named


def test_several_full_files_of_one_source_are_refused(tmp_path):
    """Each would withdraw the others' entries; full files of several sources are imported."""
    pages = [tmp_path / f"p{number}.csv" for number in (1, 2)]
    for number, page in enumerate(pages):
        page.write_text(f"id,md5\nE{number},{value(number)}\n")
    known = tmp_path / "k.list"

    said = refused("import", *pages, "--into", known, "--source", "s", "--full")
    again = refused("import", pages[0], pages[0], "--into", known, "--full")

    assert "several of these files are of one source" in " ".join(said.split())
    assert "several of these files are of one source" in " ".join(again.split())
    assert not known.exists()
    assert screener("import", *pages, "--into", known, "--full").returncode == 0
    assert HashList.open(known).states == {"confirmed": 2}


def test_import_with_a_key_accepts_only_signed_files(made, tmp_path, keys):
    """A changed byte, another key or no signature refuses the file; its terms come with it."""
    out = tmp_path / "out.csv"
    call = ("export", made, "--format", "csv", "--source", "a", "-o", out)
    assert "; signed" in screener(*call, "--sign", keys[0]).stderr
    take = ("import", out, "--into", tmp_path / "other.list", "--ignore-columns", "series",
            "--key")  # fmt: skip

    assert screener(*take, keys[1]).returncode == 0
    assert json.loads(screener("terms", tmp_path / "other.list").stdout)["out"]["tlp"] == "GREEN"
    assert "key.pem" in refused(*take, keys[0])
    whole = out.read_text()
    out.write_text(whole + f"z,{value(9, 32)}\n")
    assert "out.csv" in refused(*take, keys[1])
    out.write_text(whole)
    (tmp_path / "out.csv.manifest.json").write_text("{}")
    assert "is not signed with the key" in refused(*take, keys[1])
    screener(*call)
    assert "out.csv.manifest.json.sig" in refused(*take, keys[1])
    assert generation(tmp_path / "other.list") == 1


def test_bad_terms_refuse_an_import_before_a_list_is_created(tmp_path):
    """The message names the option's value, or the file and its key."""
    file, bad = tmp_path / "a.csv", tmp_path / "bad.toml"
    file.write_text(f"id,md5\na,{value(1)}\n")
    bad.write_text('colour = "red"\n')
    call = ("import", file, "--into", tmp_path / "new.list")

    assert "tlp must be one of" in refused(*call, "--tlp", "PINK")
    assert "expires must be a day" in refused(*call, "--expires", "tomorrow")
    assert "bad.toml: unknown key 'colour'" in refused(*call, "--terms", bad)
    assert "--redistribution" in refused(*call, "--redistribution", "perhaps")
    assert not (tmp_path / "new.list").exists()


def test_a_full_file_that_omits_many_entries_needs_accept_shrink(tmp_path):
    """The message counts the entries; with the option they are withdrawn."""
    file = tmp_path / "a.csv"
    call = ("import", file, "--into", tmp_path / "new.list", "--full")
    file.write_text("id,md5\n" + "".join(f"e{n},{value(n)}\n" for n in range(10)))
    assert screener(*call).returncode == 0
    file.write_text("id,md5\n" + "".join(f"e{n},{value(n)}\n" for n in range(5)))

    sentence = refused(*call)
    assert "a.csv would withdraw 5 of the source's 10 entries" in sentence
    assert "--accept-shrink" in sentence
    assert generation(tmp_path / "new.list") == 1
    taken = screener(*call, "--accept-shrink")
    assert taken.returncode == 0
    assert "5 entries withdrawn, as the full file omits them" in taken.stderr


def test_a_failed_import_names_file_line_and_field(tmp_path):
    """For lines, JSON and XML; no message quotes a value."""
    into = ("--into", tmp_path / "new.list")
    for name, text, said in (
        ("a.csv", f"id,md5\na,{value(1)[:-1]}g\n", ("a.csv", "line 2", "md5")),
        ("b.json", '{"value": [{"MediaID": 1, "MD5": "xyz"}]}', ("b.json", "record 1", "md5")),
        ("c.json", '{"hashRecords": [{"hashType": ', ("c.json", "JSON")),
        ("d.xml", "<!DOCTYPE x []><queryResult/>", ("d.xml",)),
        ("e.txt", value(1, 32) + "\n", ("e.txt", "kind of hash")),
    ):
        (tmp_path / name).write_text(text)
        more = ("--scheme", "vics-uk") if name == "b.json" else ()
        sentence = refused("import", tmp_path / name, *into, *more)
        for part in said:
            assert part.lower() in sentence.lower()
        assert value(1)[:-1] not in sentence


def test_a_refused_import_creates_no_list(tmp_path):
    """An existing list stays, and so does one that an earlier file filled."""
    good, wrong, new = (tmp_path / name for name in ("good.csv", "wrong.csv", "new.list"))
    good.write_text(f"id,md5\nx,{value(1)}\n")
    wrong.write_text("no list\n")
    before = sorted(path.name for path in tmp_path.iterdir())

    assert "no known format" in refused("import", wrong, "--into", new)
    assert "it is a folder" in refused("import", tmp_path, "--into", new)
    assert sorted(path.name for path in tmp_path.iterdir()) == before

    assert "no known format" in refused("import", good, wrong, "--into", new)
    assert generation(new) == 1
    empty = HashList.create(tmp_path / "empty.list").path
    assert "no known format" in refused("import", wrong, "--into", empty)
    assert generation(empty) == 0


def test_import_prints_numbers_with_thousands_separators(tmp_path):
    """Both the number of rows and what became of them."""
    file = tmp_path / "many.csv"
    file.write_text("\n".join(["id,md5", *(f"e{n},{n + 1:032x}" for n in range(1200))]))
    told = screener("import", file, "--into", tmp_path / "known.list").stderr
    assert "1,200 rows read, 1,200 added" in told


def test_a_column_that_is_not_known_refuses_the_import(tmp_path):
    """Withdrawn rows would be confirmed. The template leads to a mapping that reads them."""
    rows, into = tmp_path / "rows.csv", ("--into", tmp_path / "k.list")
    rows.write_text(
        f"IWF Ref;MD5 Hash;Day;Live?\nr1;{value(1)};03.02.2024;yes\nr2;{value(2)};;out\n"
    )

    done = screener("import", rows, *into)
    assert done.returncode == 2
    for text in ("'IWF Ref', 'Day', 'Live?'", "--mapping-template", "--ignore-columns", "ids"):
        assert text in done.stderr

    template = screener("import", rows, "--mapping-template")
    mapping = tmp_path / "m.toml"
    mapping.write_text(template.stdout)
    assert screener("import", rows, *into, "--mapping", mapping).returncode == 2  # it has "?"
    text = template.stdout.replace('"IWF Ref" = "?"', '"IWF Ref" = "entry"')
    text = text.replace('= "?"', '= { field = "updated", date_format = "%d.%m.%Y" }', 1)
    text = text.replace(
        '= "?"', '= { field = "state", confirmed = ["yes"], withdrawn = ["out"] }', 1
    )
    mapping.write_text(text)
    done = screener("import", rows, *into, "--mapping", mapping)
    assert done.returncode == 0, done.stderr
    assert dict(HashList.open(tmp_path / "k.list").states) == {"confirmed": 1, "withdrawn": 1}


def test_columns_are_ignored_and_the_id_is_named_by_options(tmp_path):
    """As typed, but for case. Names that do not exist are refused with those that do."""
    rows = tmp_path / "rows.csv"
    rows.write_text(f"Ref,md5,Note,Day\nr1,{value(1)},a,b\n")
    call = ("import", rows, "--into", tmp_path / "k.list")

    done = screener(*call, "--id-column", "Reff", "--ignore-columns", "note,Day")
    assert "no column 'Reff'; its columns are 'Ref', 'md5', 'Note', 'Day'" in done.stderr
    done = screener(*call, "--id-column", "ref", "--ignore-columns", "md5")
    assert "'md5' has a meaning already" in done.stderr
    assert screener(*call, "--ignore-unknown-columns").returncode == 2  # no ids
    done = screener(*call, "--id-column", "ref", "--ignore-columns", "note,Day")
    assert done.returncode == 0, done.stderr
    (shown,) = HashList.open(tmp_path / "k.list").show("r1")
    assert shown.labels == {"Note": "a", "Day": "b"}
