"""The file of a cache: used by several at once, damaged, of another version, and no other file."""

import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from click.testing import CliRunner
from command_process import refused, screener

from screener import HashCache, Policy, Screener, rescan, scan
from screener.cli.app import cli
from screener.errors import OutputError, PolicyError
from screener.media.name import Name
from screener.scanning.cache import cache_file


@pytest.fixture
def known(make_list):
    """A list that matches nothing below."""
    return make_list([{"id": "one", "pdq": "0123456789abcdef" * 4, "md5": "ab" * 16}])


@pytest.fixture
def picture(scene, tmp_path):
    """A picture, to be scanned."""
    scene(0, (160, 120)).save(tmp_path / "0.png")
    return tmp_path / "0.png"


@pytest.fixture
def filled(known, picture, tmp_path):
    """A cache of that picture and three others of its content."""
    paths = [picture]
    for number in range(1, 4):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(picture.read_bytes())
    hasher = Screener(known).hasher.exact()
    with HashCache.open(tmp_path / "c") as cache:
        cache.add(map(hasher.hash, map(str, paths)), hasher)
    return tmp_path / "c"


def use(path, known, *, every=True):
    """Read all that a cache has, or what may have a match or be unscreened."""
    with HashCache.open(path) as cache:
        list(rescan(Screener(known), cache, every=every))


def refused_here(*call):
    """What a call says that is a mistake, without a process of its own."""
    done = CliRunner().invoke(cli, [str(one) for one in call])
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    return " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("made", "row"),
    [
        ("TRIGGER x AFTER DELETE ON inputs BEGIN DELETE FROM codes; END", "type = 'trigger'"),
        ("TRIGGER x AFTER DELETE ON inputs BEGIN DELETE FROM codes; END", "type = 'Trigger'"),
        ("VIEW x AS SELECT 1", "type = 'VIEW'"),
        ("VIEW x AS SELECT 1", "type = CAST('view' AS BLOB)"),
        ("VIRTUAL TABLE x USING fts5(y)", "rootpage = CAST('0' AS BLOB)"),
        ("VIRTUAL TABLE x USING fts5(y)", "type = 'TABLE'"),
    ],
)
def test_a_cache_that_does_more_than_hold_data_is_refused(filled, made, row):
    """A trigger, say, which is run when an input is forgotten; SQLite reads the rows of a schema
    whatever the case of their type, and also where a text is bytes.
    """
    with contextlib.closing(sqlite3.connect(filled)) as connection:
        connection.execute(f"CREATE {made}")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(f"UPDATE sqlite_master SET {row} WHERE name = 'x'")
        connection.commit()
    with pytest.raises(OutputError, match="a view, a trigger or a virtual table"):
        HashCache.open(filled, keep=0)


def test_threads_share_a_cache(known, filled, picture):
    """As where an executor's thread scans with one that a service has opened at its start: what
    each of them keeps is there, and nothing of another's policy.
    """
    engines = [Screener(known), Screener(known, policy=Policy(seconds=9))]
    hashers = [engine.hasher.exact() for engine in engines]
    hashed = hashers[0].hash(picture)

    def keep(number):
        hasher = hashers[number % 2]
        one = replace(hashed, name=Name(f"{number}"))
        cache.add([one], hasher)
        return cache.holds(one.name, hasher) and len(list(rescan(engines[0], cache, every=True)))

    with HashCache.open(filled) as cache, ThreadPoolExecutor(4) as pool:
        assert all(pool.map(keep, range(40)))
        assert sorted(cache.count_by_settings().values()) == [20, 24]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_opens_a_cache_of_its_own(filled):
    """SQLite's locks are those of the process that opened the file: another one's writing would
    meet none of them, and harm it.
    """
    with HashCache.open(filled) as cache:
        child = os.fork()
        if not child:
            with contextlib.suppress(OutputError):
                len(cache)
                os._exit(1)
            cache._file.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert len(cache) == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_forked_while_a_cache_is_opened_opens_one(filled, monkeypatch):
    """It does not wait for the thread that opened one, which it has not."""

    def forking(path):
        if not (child := os.fork()):
            signal.alarm(20)
            monkeypatch.undo()
            with contextlib.suppress(BaseException), HashCache.open(filled):
                os._exit(0)
            os._exit(1)
        ended.append(os.waitpid(child, 0)[1])

    ended = []
    monkeypatch.setattr("screener.scanning.cache.cache_file.make_private", forking)
    with HashCache.open(filled):
        assert ended == [0]


def test_scans_and_rescans_of_one_cache_do_not_wait_for_each_other(known, filled, picture):
    """While the consumer of a scan, or of a rescan, pauses between two results."""
    engine = Screener(known)
    with HashCache.open(filled) as first, HashCache.open(filled) as second:
        one, other = (
            scan(engine, [picture, picture.with_name("1.png")], jobs=1, cache=cache)
            for cache in (first, second)
        )
        looking = rescan(engine, second, every=True)
        for results in (one, other, looking):
            next(results)
        done = screener("rescan", "--cache", filled, "--list", known.path, "--all", "--keep", "9")
        assert (done.returncode, done.stdout.count("\n")) == (0, 4), done.stderr
        for path in (filled, *filled.parent.glob("c-*")):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for results in (one, other, looking):
            assert len(list(results)) >= 1
        assert (len(first), second.keep) == (4, 9)
    assert not list(filled.parent.glob("c-*"))


def test_what_is_kept_outlives_the_process_though_another_has_closed_the_cache(filled, tmp_path):
    """Also where this one has opened it twice, or closed one of them: else the other one takes the
    log beside the file away, from under what is still written to it.
    """
    close_it = f"from screener import HashCache\nwith HashCache.open({str(filled)!r}): pass"
    with HashCache.open(filled), HashCache.open(filled):
        with HashCache.open(filled, create=False):
            pass
        subprocess.run([sys.executable, "-c", close_it], check=True)
        assert {path.name for path in tmp_path.glob("c-*")} == {"c-shm", "c-wal"}


def test_a_cache_that_is_being_closed_is_open_still(filled):
    """For SQLite has locks on it until it has taken the log beside the file away: another thread
    that opened it meanwhile, and closed a descriptor of its own, would take them.
    """
    told = []

    class Closing:
        def close(self):
            told.append(cache_file._is_open_in_process(filled))

    with HashCache.open(filled) as cache:
        connection, cache._file._connection = cache._file._connection, Closing()
        cache._file.close()
        connection.close()

    assert told == [True]
    assert not cache_file._is_open_in_process(filled)


def test_many_that_open_a_new_cache_at_once_all_succeed(tmp_path):
    """Whoever makes the tables, the others find them whole."""
    path, wrong = tmp_path / "new", []

    def open_it():
        try:
            with HashCache.open(path) as cache:
                assert len(cache) == 0
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []


def test_a_busy_cache_is_said_to_be_busy(known, filled, monkeypatch):
    """And not to be no cache; what to do is said."""
    monkeypatch.setattr("screener.scanning.cache.cache_file._LOCK_WAIT_SECONDS", 0.05)
    other = sqlite3.connect(filled, isolation_level=None)
    with HashCache.open(filled) as cache:
        other.execute("BEGIN IMMEDIATE")
        for call in (lambda: use(filled, known), lambda: HashCache.open(filled, keep=3)):
            with pytest.raises(OutputError, match=r"another program is using .*try again"):
                call()
        other.execute("ROLLBACK")
        assert len(cache) == 4
    other.close()


@pytest.mark.parametrize("first", [200, 4096, 8192])
def test_a_damaged_cache_is_named_with_what_to_do(known, filled, first):
    """Bytes that were changed anywhere: exit code 2 and a sentence, not a fault of ours."""
    content = bytearray(filled.read_bytes())
    for at in range(first, len(content), 7):
        content[at] ^= 0x5A
    filled.write_bytes(content)

    with pytest.raises(OutputError, match="damaged cache of hashes"):
        use(filled, known)

    if first == 4096:
        said = refused("rescan", "--cache", filled, "--list", known.path, "--all")
        assert str(filled) in said
        assert "delete it, and scan again" in said


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE inputs SET located = '[]'",
        "UPDATE inputs SET located = replace(located, '64', 'ff')",  # a score beyond 100
        "UPDATE inputs SET located = replace(hex(zeroblob(50000)), '00', '[')",
        "UPDATE inputs SET media = '[1]'",
        "UPDATE codes SET bytes = x'00'",
        "DELETE FROM codes WHERE kind = 'md5'",
        "DROP TABLE codes",
        "UPDATE inputs SET reason = 'none that there is'",
        "UPDATE inputs SET reason = 'crashed', detail = x'00ff'",
        "UPDATE makings SET made_by = '{'",
        "UPDATE makings SET made_by = '[1]'",
        "UPDATE makings SET made_by = replace(hex(zeroblob(50000)), '00', '[')",
        "DELETE FROM settings",
        "UPDATE settings SET keep = 9e99",
        "UPDATE settings SET keep = 'long'",
        "UPDATE inputs SET clear = 'x'",
        "UPDATE inputs SET clear = -2",
        "UPDATE inputs SET hashed = 'x'",
        "UPDATE inputs SET size = 'x'",
        "UPDATE inputs SET mtime_ns = x'00'",
        "UPDATE inputs SET archive = 'x'",
        "UPDATE inputs SET name = CAST(name AS TEXT)",
        "UPDATE inputs SET place = 'x:y'",
        "UPDATE inputs SET place = x'00'",
        "UPDATE inputs SET making = 99",
        "UPDATE inputs SET making = 'x'",
        "UPDATE inputs SET text = x'00'",
        "UPDATE inputs SET text = CAST(x'ff' AS TEXT)",
        "UPDATE inputs SET extra = x'00'",
        "UPDATE inputs SET media = CAST(x'ff' AS TEXT)",
        "UPDATE codes SET kind = 'pdk' WHERE kind = 'pdq'",
        "UPDATE codes SET bytes = 'x'",
        "UPDATE codes SET bytes = NULL",
        "UPDATE codes SET input = 'x' WHERE kind = 'pdq' AND input = 1",
        "UPDATE codes SET input = 99 WHERE kind = 'pdq' AND input = 1",
        "UPDATE makings SET made_by = x'00'",
    ],
)
def test_a_cache_of_other_contents_is_damaged(known, filled, change):
    """What SQLite reads but was never written is told as damage too, and no input passed over."""
    connection = sqlite3.connect(filled)
    connection.execute(change)
    connection.commit()
    connection.close()

    with pytest.raises(OutputError, match=r"c is a damaged cache of hashes .*delete it"):
        use(filled, known)
    if "clear" in change:  # by which inputs are passed over
        with pytest.raises(OutputError, match=r"damaged cache of hashes .input number"):
            use(filled, known, every=False)


def test_another_version_and_an_empty_file(known, filled, tmp_path):
    """An earlier one is refused with what to do, a newer one too; an empty file is begun by a scan,
    and is no cache to rescan; where there is none, a rescan makes none.
    """
    connection = sqlite3.connect(filled)
    ((own,),) = connection.execute("PRAGMA user_version").fetchall()
    connection.close()
    for version, told in ((own - 1, "earlier version.*scan again"), (own + 2, "newer version")):
        connection = sqlite3.connect(filled)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.close()
        before = filled.read_bytes()
        with pytest.raises(OutputError, match=told):
            HashCache.open(filled)
        assert filled.read_bytes() == before
    (tmp_path / "empty").touch(0o644)
    assert "empty" in refused("rescan", "--cache", tmp_path / "empty", "--list", known.path)
    assert (tmp_path / "empty").stat().st_size == 0
    with HashCache.open(tmp_path / "empty") as cache:
        assert len(cache) == 0
    assert stat.S_IMODE((tmp_path / "empty").stat().st_mode) == 0o600
    with pytest.raises(OutputError, match="no cache of hashes at"):
        HashCache.open(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_a_cache_is_no_device_and_no_pipe(tmp_path):
    """Its mode stays, without which others could not use it any more, and it is not waited for."""
    os.mkfifo(pipe := tmp_path / "pipe", 0o644)
    for create in (True, False):
        with pytest.raises(OutputError, match="not a regular file"):
            HashCache.open(pipe, create=create)
    assert stat.S_IMODE(pipe.stat().st_mode) == 0o644


def test_a_cache_where_sqlite_can_make_no_file_is_an_error_that_names_it(tmp_path):
    """As deep in folders, where a path is longer than SQLite takes."""
    folder = tmp_path.joinpath(*["d" * 200] * 3)
    folder.mkdir(parents=True)
    with pytest.raises(OutputError, match="c: cannot store hashes: unable to open database file"):
        HashCache.open(folder / "c")


@pytest.mark.parametrize("days", ["inf", "nan", "-1", "1e15", "36526"])
def test_days_that_no_calendar_holds_are_refused(known, picture, filled, tmp_path, days):
    """Before anything is touched, and nothing of it is kept."""
    before = filled.read_bytes()
    with pytest.raises(PolicyError, match="from 0 to 36525"):
        HashCache.open(filled, keep=float(days))
    with pytest.raises(PolicyError, match="from 0 to 36525"):
        HashCache.open(tmp_path / "new", keep=float(days))
    assert not (tmp_path / "new").exists()
    if days == "inf":
        out = tmp_path / "out"
        out.write_bytes(b"results")
        call = ("--list", known.path, "--cache", filled, "--keep", days, "-o", out)
        for command in (("scan", picture), ("rescan",)):
            assert "expected a number from 0" in refused_here(*command, *call)
        assert out.read_bytes() == b"results"
    assert filled.read_bytes() == before
    with HashCache.open(filled, keep=36525) as cache:
        assert len(cache) == 4


def test_a_cache_that_is_another_file_too_is_refused(known, picture, filled, tmp_path):
    """The output by any name, the audit log or its head, a list or what is in it: nothing is
    opened, no byte is changed. So is --keep that keeps nothing.
    """
    link, hard = tmp_path / "link", tmp_path / "hard"
    link.symlink_to(filled)
    hard.hardlink_to(filled)
    before = filled.read_bytes()
    cases = [
        ("scan", picture, "--cache", filled, "-o", filled),
        ("rescan", "--cache", link, "-o", hard),
        ("scan", picture, "--cache", filled, "--resume", tmp_path / "c-wal"),
        ("scan", picture, "--cache", tmp_path / "a.head", "--audit", tmp_path / "a"),
        ("rescan", "--cache", filled, "--audit", link),
        ("scan", picture, "--cache", known.path / "x"),
    ]
    for case in cases:
        assert "--cache" in refused_here(*case, "--list", known.path)
    said = refused_here("scan", picture, "--keep", 3, "--list", known.path, "-o", tmp_path / "o")
    assert "--cache is missing" in said
    assert filled.read_bytes() == before
    made = {path.name for path in tmp_path.iterdir()}
    assert made.isdisjoint({"c-wal", "a", "a.head", "o"})
    assert not (known.path / "x").exists()


def test_an_interrupt_when_a_transaction_was_just_begun_says_nothing_of_it(tmp_path, monkeypatch):
    """It is rolled back where the file is closed: of what comes behind that nobody is told."""
    enter, told = contextlib._GeneratorContextManager.__enter__, []

    def entered(manager):
        given = enter(manager)
        if manager.gen.__name__ == "writing":
            raise KeyboardInterrupt
        return given

    monkeypatch.setattr(sys, "unraisablehook", told.append)
    with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
        patched.setattr(contextlib._GeneratorContextManager, "__enter__", entered)
        HashCache.open(tmp_path / "c.cache")

    assert not told
    with HashCache.open(tmp_path / "c.cache") as cache:
        assert not len(cache)
