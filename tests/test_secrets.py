"""No listed hash in anything that is told, and nobody else may read what is kept.

Looked for are hex in either case and base64, from their first characters on, and the raw bytes.
"""

import base64
import contextlib
import io
import json
import logging
import os
import random
import shutil
import sqlite3
import stat
import sys
import traceback
from contextlib import contextmanager

import pytest
from command_process import screener
from format_samples import SAMPLES
from listed_values import SIZES, found, raw, written

from screener import EdgeFilter, Hash, HashCache, HashList, Policy, Screener, ScreenerError
from screener.cli import app
from screener.errors import OutputError
from screener.index import brute_force
from screener.lists.store import match_counts

NAMES = [f"e{n}" for n in range(8)]
LISTED = [raw(name, kind) for name in NAMES for kind in SIZES]
SAMPLED = [
    bytes.fromhex("00112233445566778899aabbccddeeff"),
    bytes.fromhex("0123456789abcdef" * 4),
    bytes(range(144)),
]


def rows(names, extra=""):
    """A CSV of those entries with all kinds; the last two rows have damaged values."""
    lines = [f"{name},{','.join(written(name, kind) for kind in SIZES)}," for name in names]
    bad = f"bad1,{written('e1', 'pdq')}f,{written('e1', 'md5')},,,,"
    worse = f"bad2,{written('e2', 'sha1')},,{written('e2', 'md5')[:-1]}g,,,"
    return "\n".join([f"id,{','.join(SIZES)},status", *lines, bad, worse, extra]) + "\n"


@contextmanager
def everybody_may_read():
    """A process that leaves no bit of a mode away."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture
def run(capfd, monkeypatch):
    """Runs the command line in this process: (exit code, all that it told, logs included)."""
    logs = io.StringIO()
    handler = logging.StreamHandler(logs)
    logger = logging.getLogger()
    monkeypatch.setattr(logger, "level", logging.DEBUG)
    logger.addHandler(handler)

    def run(*arguments, input=""):
        capfd.readouterr()
        logs.truncate(0)
        monkeypatch.setattr(sys, "argv", ["screener", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(input.encode())))
        with pytest.raises(SystemExit) as ended, everybody_may_read():
            app.main()
        told = capfd.readouterr()
        return ended.value.code, "\n".join((told.out, told.err, logs.getvalue()))

    yield run
    logger.removeHandler(handler)


@pytest.fixture
def known(tmp_path):
    """A list with every kind, two sources, opinions, quarantine, counts and several generations."""
    with everybody_may_read():
        one = HashList.create(tmp_path / "known.list")
        for source, names in (("mine", NAMES[:4]), ("mine", NAMES[2:6]), ("other", NAMES[6:])):
            file = tmp_path / f"{source}.csv"
            file.write_text(rows(names, extra="e0,,,,,,withdrawn" if names[0] == "e2" else ""))
            one.import_file(file, source=source)
        one.give_opinion("e1", state="disputed", by="ann", reason="x")
    return one.refresh()


def modes(folder):
    """What in a folder is open to others than its owner."""
    wrong = []
    for path in [folder, *folder.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode != (0o700 if path.is_dir() else 0o600):
            wrong.append((path.name, oct(mode)))
    return wrong


def calls(known, out):
    """Every command over a list: such as succeed, and such as are refused."""
    who = ("--by", "ann", "--reason", "x")
    damaged = "\n".join(
        [
            f"pdq {written('e1', 'pdq')}", f"pdq {written('e1', 'pdq')}f", written("e1", "md5"),
            f"md5 {written('e1', 'pdq')}", f"{written('e1', 'sha1')} md5", "pdq",
            f"md5 {written('e2', 'md5')} x y z", f"unscreened {written('e2', 'md5')} - f",
        ]
    )  # fmt: skip
    yield ("info", known), {}
    yield ("verify", known), {}
    yield ("bench", known, "--seconds", "0.1"), {}
    yield ("match", "--list", known, "--count"), {"input": damaged}
    yield ("match", "--list", known, "--digests-only", "-o", out / "results"), {"input": damaged}
    yield ("match", "--list", known, "--audit", out / "log"), {"input": damaged}
    yield ("match", "--list", known, "--audit", out / "results"), {"input": damaged}
    for form in ((), ("--json",)):
        yield ("audit", "verify", out / "log", *form), {}
        yield ("audit", "verify", out / "results", *form), {}
    for name in ("page.html", "table.csv", "results"):
        yield ("report", out / "results", "-o", out / name), {}
    for form in ((), ("--json",)):
        for command in ("info", "log", "quarantine"):
            yield (command, known, *form), {}
        for entry in ("e0", "e1", "e6", "none"):
            yield ("show", known, entry, *form), {}
    for form in ("csv", "tx", "ncmec", "vics", "hma", "bloom", "none"):
        call = ("export", known, "--format", form, "--audience", "own")
        yield (*call, "-o", out / f"out.{form}"), {}
        yield (*call, "-o", out / "none" / "out"), {}
        yield (*call[:-1], "public", "-o", out / "never"), {}
    yield ("export", known, "--format", "bloom", "--kind", "pdq", "-o", out / "never"), {}
    yield ("opinion", known, "e3", "--state", "disputed", *who), {}
    yield ("opinion", known, "none", "--state", "disputed", *who), {}
    yield ("quarantine", known, "--release", "1", *who), {}
    yield ("quarantine", known, "--release", "1", *who), {}
    yield ("quarantine", known, "--release-entry", "e1", "--kind", "photodna", *who), {}
    yield ("quarantine", known, "--release-entry", "e1", "--kind", "pdq", *who), {}
    yield ("terms", known), {}
    yield ("terms", known, "--source", "mine", "--tlp", "GREEN"), {}
    yield ("terms", known, "--source", "mine", "--tlp", "BLUE"), {}
    yield ("rollback", known, "--to", "1", *who), {}
    yield ("rollback", known, "--to", "99", *who), {}
    yield ("compact", known), {}
    yield ("purge", known, "--source", "none", *who, "--yes"), {}
    yield ("purge", known, "--source", "mine", *who, "--yes"), {}
    yield ("log", known), {}
    yield ("verify", known), {}


def test_no_command_tells_a_listed_hash_and_none_leaves_a_file_open(known, run, tmp_path):
    """Standard output, standard error and every log, after success and failure; 0600 and 0700."""
    out = tmp_path / "out"
    out.mkdir(mode=0o700)
    codes = {}
    for call, settings in calls(known.path, out):
        code, told = run(*call, **settings)
        assert "Traceback" not in told, call
        assert found(told.encode(), LISTED) == [], call
        assert modes(known.path) == [], call
        assert modes(out) == [], call
        codes.setdefault(call[0], set()).add(code)

    # Each was seen to succeed and, where something can be wrong, to fail.
    for command in ("show", "export", "opinion", "quarantine", "terms", "rollback", "purge",
                    "audit", "report"):  # fmt: skip
        assert codes[command] == {0, 2}, command
    for path in out.glob("*.manifest.json"):
        assert found(path.read_bytes(), LISTED) == []
    for name in ("results", "log", "log.head", "page.html", "table.csv"):
        assert found((out / name).read_bytes(), LISTED) == [], name


def test_what_looks_for_hashes_finds_them(known, run):
    """Asked for by flag they are told, so that the test above is not blind."""
    code, told = run("show", known.path, "e1", "--values")

    assert code == 0
    assert len(found(told.encode(), LISTED)) == len(SIZES)
    assert found(b"x" + LISTED[0], LISTED) == [LISTED[0]]
    assert found(LISTED[0].hex().upper().encode(), LISTED) == [LISTED[0]]
    assert found(base64.b64encode(LISTED[0]), LISTED) == [LISTED[0]]


@pytest.mark.parametrize("name", SAMPLES)
def test_no_import_of_a_damaged_file_tells_a_hash(name, tmp_path, run):
    """Of any format, damaged anywhere: neither report, log, error nor what led to it."""
    rng, known = random.Random(1), HashList.create(tmp_path / "known.list")
    data = SAMPLES[name]
    file = tmp_path / "a.file"
    refused = 0
    for turn in range(40):
        broken = bytearray(data)
        if turn % 2:
            del broken[rng.randrange(len(data)) :]
        for _ in range(turn % 4):
            where = rng.randrange(len(broken) or 1)
            broken[where : where + rng.randrange(2)] = rng.choice(b'g0"<,{ \x00\xff').to_bytes(1)
        file.write_bytes(broken)
        try:
            told = repr(known.import_file(file, format=name, strict=turn % 3 == 0))
        except ScreenerError as error:
            refused += 1
            told = "".join(traceback.format_exception(error))
        assert found(told.encode(), SAMPLED) == [], (name, turn)
        if turn % 8 == 0:
            _, said = run("import", file, "--into", known.path, "--format", name)
            assert found(said.encode(), SAMPLED) == [], (name, turn)
    assert refused


def test_a_fault_of_ours_is_told_by_its_place_and_not_by_its_words(known, run, monkeypatch):
    """An exception that nobody foresaw may hold a value: its kind and where it arose are told."""

    def fails(*rest, **settings):
        raise KeyError(written("e1", "md5"))

    monkeypatch.setattr(HashList, "info", fails)
    code, told = run("info", known.path)

    assert code == 2
    assert "KeyError" in told
    assert "in fails" in told
    assert found(told.encode(), LISTED) == []


def test_no_exception_of_the_library_holds_a_hash(known, tmp_path):
    """What a caller may do wrong with a value at hand; nor does a hash's own representation."""
    known.set_terms("mine", terms_of_everybody())
    known.export(tmp_path / "f.bloom", format="bloom", kind="md5", audience="own")
    edge = EdgeFilter.open(tmp_path / "f.bloom")
    md5, pdq = written("e1", "md5"), written("e1", "pdq")
    told = [repr(Hash.parse("md5", md5)), str(Hash.parse("pdq", pdq)), repr(known)]
    for wrong in (
        lambda: Hash.parse("pdq", pdq + "f"), lambda: Hash.parse("pdq", md5),
        lambda: Hash.parse("md5", md5[:-1] + "g"), lambda: Hash.parse(md5, pdq),
        lambda: Hash.parse("photodna", written("e1", "photodna")[:-1]),
        lambda: Hash.parse("md5", md5).distance(Hash.parse("pdq", pdq)),
        lambda: edge.may_contain(pdq), lambda: edge.may_contain(md5[:-1] + "g"),
        lambda: edge.may_contain(raw("e1", "pdq")),
    ):  # fmt: skip
        with pytest.raises(ScreenerError) as caught:
            wrong()
        told.append("".join(traceback.format_exception(caught.value)[-1:]) + repr(caught.value))
    assert found("\n".join(told).encode(), LISTED) == []


def terms_of_everybody():
    """Terms under which anything may go anywhere."""
    from screener import Terms

    return Terms("CLEAR", True)


def test_a_damaged_list_is_told_without_its_values(known, run, tmp_path, monkeypatch):
    """Bytes changed all over the database and the index files: every command's words are clean."""
    monkeypatch.setattr(brute_force, "_MOST", 64)  # queries that `verify` compares, one by one
    rng = random.Random(2)
    for turn in range(24):
        copy = shutil.copytree(known.path, tmp_path / f"copy{turn}.list")
        files = [path for path in sorted(copy.rglob("*")) if path.is_file() and path.stat().st_size]
        victim = files[turn % len(files)]
        content = bytearray(victim.read_bytes())
        for _ in range(60):
            content[rng.randrange(len(content))] = rng.randrange(256)
        victim.write_bytes(content)
        for call in (
            ("verify", copy), ("info", copy), ("show", copy, "e1"), ("log", copy),
            ("quarantine", copy), ("export", copy, "--format", "csv", "-o", tmp_path / "o"),
            ("import", tmp_path / "mine.csv", "--into", copy), ("compact", copy),
        ):  # fmt: skip
            assert found(run(*call)[1].encode(), LISTED) == [], (call, victim.name)


def spoilt(path, statement):
    """A database of ours with values that are texts, and no texts: one bit of their length."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize("call", ["show", "export", "verify", "match", "import", "purge"])
def test_a_value_that_became_a_text_is_not_told(tmp_path, run, call):
    """SQLite would tell of a text that is none what it says, and so would whatever led to an error
    of ours.
    """
    value = b"fifteen letters\xff"
    (tmp_path / "a.csv").write_text(f"id,md5\nx,{value.hex()}\n")
    known = HashList.create(tmp_path / "known.list")
    known.import_file(tmp_path / "a.csv", source="a")
    spoilt(known.path / "records.sqlite", "UPDATE hashes SET value = CAST(value AS TEXT)")
    (tmp_path / "a.csv").write_text(f"id,md5\nx,{'ab' * 16}\n")
    arguments, input = {
        "show": ((known.path, "x", "--values"), ""),
        "export": ((known.path, "--format", "csv", "--audience", "own", "-o", tmp_path / "b"), ""),
        "verify": ((known.path,), ""),
        "match": (("--list", known.path), f"md5 {value.hex()}"),
        "import": ((tmp_path / "a.csv", "--into", known.path, "--source", "a"), ""),
        "purge": ((known.path, "--source", "a", "--by", "ann", "--yes"), ""),
    }[call]
    code, told = run(call, *arguments, input=input)

    assert "fifteen" not in told
    assert code == (0 if call == "purge" else 2)
    if call == "verify":
        with pytest.raises(ScreenerError) as caught:
            known.refresh().verify()
        assert "fifteen" not in "".join(traceback.format_exception(caught.value))


def test_a_list_from_elsewhere_commands_no_terminal(known, run):
    """Whatever its database has in the place of what is written there: no sign that is not printed
    goes out, and nothing is taken for markup.
    """
    match_counts.count(known.path, {("mine", "e1", "pdq"): match_counts.MIN_MATCHES})
    columns = ("generations what", "imports format", "records state", "records said",
               "hashes kind", "hashes quality", "quarantine line", "quarantine released",
               "matches kind", "matches day")  # fmt: skip
    for column in columns:
        table, name = column.split()
        added = "\x1b[31m\u202e[link=x]\x07"
        changed = f"UPDATE {table} SET {name} = coalesce({name}, '') || '{added}'"
        file = match_counts.FILE_NAME if table == "matches" else "records.sqlite"
        spoilt(known.path / file, changed)
    told = ""
    for call in (("log",), ("show", "e1"), ("show", "e2"), ("quarantine",)):
        code, said = run(call[0], known.path, *call[1:])
        assert code == 0, said
        told += said

    assert told.count("[link=x]") >= len(columns)
    assert not {*told} & {*"\x1b\u202e\x07"}


def test_a_value_of_a_cache_that_became_a_text_is_not_told(make_list, tmp_path):
    """Nor is a name, when what is kept of an input is read."""
    (tmp_path / "a.txt").write_bytes(b"text")
    known = make_list([{"id": "x", "md5": "ab" * 16}])
    engine = Screener(known, policy=Policy(digests_only=True))
    with HashCache.open(tmp_path / "a.cache") as cache:
        cache.add([engine.hasher.hash(tmp_path / "a.txt")], engine.hasher)
    spoilt(tmp_path / "a.cache", "UPDATE codes SET bytes = CAST('fifteen' || x'ff' AS TEXT)")
    with HashCache.open(tmp_path / "a.cache") as cache, pytest.raises(OutputError) as caught:
        list(cache.load_inputs([1], set(cache.list_settings())))

    assert "fifteen" not in "".join(traceback.format_exception(caught.value))


def test_a_scan_tells_no_listed_hash(tmp_path):
    """Of a picture that matches by PDQ and by digests, in results, summary and exit."""
    from pathlib import Path

    root = Path(__file__).resolve().parents[1]
    values = {}
    for line in screener("hash", root / "fixtures/images/harbour.jpg").stdout.splitlines():
        kind, text, *_ = line.split()
        values[kind] = text
    (tmp_path / "a.csv").write_text(f"id,{','.join(values)}\nx,{','.join(values.values())}\n")
    into = ("--into", tmp_path / "k.list")
    assert screener("import", tmp_path / "a.csv", *into).returncode == 0

    call = ("scan", root / "fixtures/images", "--list", tmp_path / "k.list", "--jobs", 1, "--count")
    done = screener(*call, "-o", tmp_path / "results.jsonl")

    assert done.returncode == 1
    told = done.stdout + done.stderr + (tmp_path / "results.jsonl").read_text()
    matches = [
        m for line in told.splitlines() if line[:1] == "{" for m in json.loads(line)["matches"]
    ]
    assert {m["kind"] for m in matches} == set(values)
    assert found(told.encode(), [bytes.fromhex(text) for text in values.values()]) == []


def test_show_hides_labels_that_may_hold_a_hash(run, tmp_path):
    """Fingerprints of unknown kinds and files named by their hash are labels; words are shown."""
    secret = raw("e1", "sha256")
    encoded = base64.b64encode(secret).decode()
    (tmp_path / "a.csv").write_text(
        "id,md5,file,other,more,note\n"
        f"x,{written('e1', 'md5')},{written('e1', 'md5')}.jpg,{encoded},v1:{secret.hex()},a note\n"
    )
    known = HashList.create(tmp_path / "known.list")
    known.import_file(tmp_path / "a.csv", ignore_unknown_columns=True)

    for form in ((), ("--json",)):
        told = run("show", known.path, "x", *form)[1]
        assert found(told.encode(), LISTED) == []
        assert "a note" in told
        assert set(found(run("show", known.path, "x", *form, "--values")[1].encode(), LISTED)) == {
            secret, raw("e1", "md5")
        }  # fmt: skip
