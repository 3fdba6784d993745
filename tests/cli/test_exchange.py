"""The commands by which files come in and go out, as processes: codes, manifests, errors."""

import hashlib
import io
import json
import shutil
import stat

import pytest
from command_process import generation, make_list, refused, screener, value
from list_values import putting
from rich.console import Console

from screener import EdgeFilter, HashList
from screener.cli.list_text import print_import


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A list made once, not to be changed."""
    return make_list(tmp_path_factory.mktemp("made"))


@pytest.fixture
def known(made, tmp_path):
    """A copy of that list, to be changed."""
    return shutil.copytree(made, tmp_path / "known.list")


# --- terms, export


@pytest.mark.parametrize("form", ["csv", "tx", "ncmec", "vics", "hma", "bloom"])
def test_each_format_is_exported_with_its_manifest_for_the_owner_only(made, tmp_path, form):
    """What its terms let go is there, the other source is counted as withheld."""
    out = tmp_path / "out.file"
    table = tmp_path / "table.toml"
    table.write_text('["uk-sentencing-council"]\nA = 1\n')
    more = ("--categories", table) if form == "vics" else ()

    done = screener("export", made, "--format", form, "-o", out, *more)

    facts = json.loads((tmp_path / "out.file.manifest.json").read_text())
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "withheld: 1 record of b: not for redistribution" in done.stderr
    assert "generation 2; not signed" in done.stderr
    assert (facts["format"], facts["generation"]) == (form, 2)
    assert "b" not in {*facts["terms"], *facts.get("withheld", ())}
    assert facts["parts"][0]["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert facts["records"]["confirmed"] >= 1
    for path in (out, tmp_path / "out.file.manifest.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "out.file", "out.file.manifest.json", "table.toml"
    ]  # fmt: skip


def test_files_named_after_one_that_is_refused_are_told(known, tmp_path):
    """They may hold withdrawals. What came before it is in the list."""
    good, bad, later = (tmp_path / name for name in ("good.csv", "bad.csv", "later.csv"))
    for file in (good, later):
        file.write_text(f"id,md5\n{file.stem},{value(77)}\n")
    bad.write_text("no list\n")

    done = screener("import", good, bad, later, "--into", known, "--source", "x")

    assert done.returncode == 2
    assert "files named after it, not imported either: 1" in done.stderr
    assert generation(known) == 3
    last = screener("import", later, bad, "--into", known, "--source", "x")
    assert (last.returncode, "named after it" in last.stderr) == (2, False)


def test_what_cannot_be_exported_is_refused_and_nothing_is_written(made, tmp_path):
    """Each sentence names the option, the source, the audience or the file that is wrong."""
    broken, odd = tmp_path / "broken.toml", tmp_path / "odd.toml"
    broken.write_text("= 1\n")
    odd.write_text('[x]\nA = "one"\n')
    out = tmp_path / "out.file"
    for arguments, said in (
        (("--format", "xlsx"), "unknown format 'xlsx'; one of: csv"),
        (("--format", "csv", "--audience", "public"), "audience 'public' (a: TLP:GREEN"),
        (("--format", "csv", "--source", "zz"), "no source 'zz'"),
        (("--format", "csv", "--audience", "all"), "--audience"),
        (("--format", "vics"), "categor"),
        (("--format", "vics", "--categories", broken), "broken.toml"),
        (("--format", "vics", "--categories", odd), "odd.toml"),
        (("--format", "bloom", "--kind", "pdq"), "not compared by equality"),
        (("--format", "bloom", "--kind", "sha3"), "sha3"),
        (("--format", "bloom", "--kind", ""), "kind"),
        (("--format", "bloom", "--error-rate", "2"), "error rate"),
        (("--format", "csv", "--sign", broken), "broken.toml"),
    ):
        assert said in refused("export", made, "-o", out, *arguments)
    assert "--format" in refused("export", made, "-o", out)
    assert "--output" in refused("export", made, "--format", "csv")
    missing = refused("export", made, "--format", "csv", "-o", tmp_path / "no" / "out")
    assert "No such file" in missing
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.toml", "odd.toml"]


def test_the_edge_filter_answers_without_the_list(made, tmp_path):
    """Of the kind that was asked, at the rate that was asked."""
    out = tmp_path / "edge.bloom"
    call = ("export", made, "--format", "bloom", "--kind", "md5", "--error-rate", "0.000001")

    assert screener(*call, "-o", out).returncode == 0

    held = EdgeFilter.open(out)
    assert (held.kind.name, held.error_rate) == ("md5", 0.000001)
    assert [held.may_contain(value(n)) for n in (1, 2, 3, 4, 9)] == [True, True, True, False, False]


def test_terms_are_shown_and_set_and_bind_the_next_export(known, tmp_path):
    """What is not said stays; a source that the list has not got is a slip."""
    file = tmp_path / "terms.toml"
    file.write_text('tlp = "GREEN"\nexpires = 2000-01-31\n')
    said = json.loads(screener("terms", known).stdout)
    assert said == {"a": {"tlp": "GREEN", "redistribution": True, "expires": "2999-12-31"}}

    done = screener("terms", known, "--source", "a", "--terms", file, "--by", "ann")

    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads(screener("terms", known).stdout)["a"]["expires"] == "2000-01-31"
    log = screener("log", known).stdout
    assert "; tlp GREEN, redistribution yes, expires 2999-12-31" in log  # of the import
    assert "ann  a: tlp GREEN, expires 2000-01-31" in log
    late = refused("export", known, "--format", "csv", "-o", tmp_path / "o", "--source", "a")
    assert "a: expired" in late
    for arguments, words in (
        (("--tlp", "GREEN"), "--source"),
        (("--source", "a", "--tlp", "PINK"), "tlp must be one of"),
        (("--source", "a", "--expires", "soon"), "expires must be a day"),
        (("--source", "zz", "--tlp", "GREEN"), "nothing of the source 'zz'"),
    ):
        assert words in refused("terms", known, *arguments)


def test_an_import_tells_of_withdrawals_that_reach_nothing(tmp_path):
    """In its summary and in the log, by their number; and there that a list was full."""
    rows = tmp_path / "rows.csv"
    rows.write_text(f"md5,sha1,status\n{value(1)},,withdrawn\n{value(2)},{value(2, 20)},\n")

    done = screener("import", rows, "--into", tmp_path / "k.list", "--source", "s", "--full")

    assert "1 withdrawal ignored: never listed by this source" in done.stderr
    told = " ".join(screener("log", tmp_path / "k.list").stdout.split())
    assert "(s, a full list): " in told
    assert ", 1 missed" in told


def test_an_import_names_no_more_columns_than_somebody_reads(tmp_path):
    """Of thousands of labels the first, and how many more there are: what else it tells is read."""
    put = putting(HashList.create(tmp_path / "k.list"), tmp_path)
    page = Console(file=io.StringIO(), width=200)

    print_import(page, "file.csv", put(f"id,md5{',c{}' * 5000}\n".format(*range(5000))))

    told = " ".join(page.file.getvalue().split())
    assert "columns kept as labels: c0, c1, " in told
    assert ", c19 and 4980 more" in told


def test_a_later_delivery_without_a_source_is_told_from_the_one_before(tmp_path):
    """A file of another name is of another source, and what it withdraws reaches nothing: both are
    said. Not of the first file of a list, of one of the same name, or where the source is named.
    """
    first, second = tmp_path / "agency-2026-11-25.csv", tmp_path / "agency-2026-11-26.csv"
    first.write_text(f"id,md5,status\nE1,{value(1)},active\n")
    second.write_text(f"id,md5,status\nE1,{value(1)},withdrawn\n")
    into = ("--into", tmp_path / "k.list")

    told = [screener("import", *call, *into).stderr for call in ((first,), (first,), (second,))]

    assert ["no --source was given" in said for said in told] == [False, False, True]
    assert "1 withdrawal ignored: never listed by this source" in told[-1]
    named = screener("import", second, *into, "--source", first.stem).stderr
    assert ("no --source" in named, "had not listed here" in named) == (False, False)
    assert "1 changed" in named


def test_several_full_files_of_one_source_are_refused_before_any_is_imported(tmp_path):
    """Each is a page, and would withdraw what stands on the others; files of several sources are
    whole, each by itself.
    """
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


# --- import with a key, with terms, with a shrink


def test_a_signed_export_is_taken_and_a_changed_one_is_not(made, tmp_path, keys):
    """Its terms come with it; one byte more, another key or no signature refuses it."""
    out = tmp_path / "out.csv"
    call = ("export", made, "--format", "csv", "--source", "a", "-o", out)
    assert "; signed" in screener(*call, "--sign", keys[0]).stderr
    take = ("import", out, "--into", tmp_path / "other.list", "--key")

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


def test_terms_at_import_that_cannot_be_read_refuse_it_before_anything_is_made(tmp_path):
    """The sentence names the option's value or the file and its key; there is no list after."""
    file, bad = tmp_path / "a.csv", tmp_path / "bad.toml"
    file.write_text(f"id,md5\na,{value(1)}\n")
    bad.write_text('colour = "red"\n')
    call = ("import", file, "--into", tmp_path / "new.list")

    assert "tlp must be one of" in refused(*call, "--tlp", "PINK")
    assert "expires must be a day" in refused(*call, "--expires", "tomorrow")
    assert "bad.toml: unknown key 'colour'" in refused(*call, "--terms", bad)
    assert "--redistribution" in refused(*call, "--redistribution", "perhaps")
    assert not (tmp_path / "new.list").exists()


def test_a_sharp_shrink_of_a_full_list_needs_to_be_accepted(tmp_path):
    """It says how many would go, by file; with the option they are withdrawn and counted."""
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
    assert "5 entries no longer named by the file, withdrawn" in taken.stderr


def test_an_import_that_fails_names_file_line_and_field(tmp_path):
    """Of each sort of damage, in lines, JSON and XML; nothing of the value."""
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


# --- allow lists


def test_the_radius_of_known_good_comes_from_the_policy_file(tmp_path):
    """A hit within it stands beside; the match stays, and exit code 1 with it."""
    file, policy = tmp_path / "a.csv", tmp_path / "policy.toml"
    file.write_text(f"id,pdq,status\ngood,{value(1, 32)},known_good\nbad,{value(1, 32)},\n")
    assert screener("import", file, "--into", tmp_path / "k.list").returncode == 0
    near = bytearray(bytes.fromhex(value(1, 32)))
    near[0] ^= 0xFF
    line = f"pdq {near.hex()}\n"

    def met(radius):
        policy.write_text(f"[known_good_radius]\npdq = {radius}\n")
        call = ("match", "--list", tmp_path / "k.list", "--policy", policy)
        done = screener(*call, input=line)
        (found,) = map(json.loads, done.stdout.splitlines())
        entries = [[m["entry"] for m in found[part]] for part in ("matches", "beside")]
        return done.returncode, *entries

    assert met(8) == (1, ["bad"], ["good"])
    assert met(7) == (1, ["bad"], [])
    policy.write_text("[known_good_radius]\npdq = 300\n")
    call = ("match", "--list", tmp_path / "k.list", "--policy", policy)
    assert "known_good" in refused(*call, input=line)


def test_an_import_that_is_refused_leaves_no_list_where_there_was_none(tmp_path):
    """Nor anything else; one that was there stays, and so does one that the first file filled."""
    good, wrong, new = (tmp_path / name for name in ("good.csv", "wrong.csv", "new.list"))
    good.write_text(f"id,md5\nx,{value(1)}\n")
    wrong.write_text("no list\n")
    before = sorted(path.name for path in tmp_path.iterdir())

    assert "no format known here" in refused("import", wrong, "--into", new)
    assert "it is a folder" in refused("import", tmp_path, "--into", new)
    assert sorted(path.name for path in tmp_path.iterdir()) == before

    assert "no format known here" in refused("import", good, wrong, "--into", new)
    assert generation(new) == 1
    empty = HashList.create(tmp_path / "empty.list").path
    assert "no format known here" in refused("import", wrong, "--into", empty)
    assert generation(empty) == 0


def test_all_numbers_of_an_import_are_written_alike(tmp_path):
    """With a comma between thousands, those of rows and of what became of them."""
    file = tmp_path / "many.csv"
    file.write_text("\n".join(["id,md5", *(f"e{n},{n + 1:032x}" for n in range(1200))]))
    told = screener("import", file, "--into", tmp_path / "known.list").stderr
    assert "1,200 rows read, 1,200 added" in told
