"""A list with a group: another user of it reads while the list's owner imports."""

import grp
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from list_values import putting, value

from screener import HashList
from screener.cli.app import cli
from screener.errors import ListError
from screener.lists.store import match_counts

OWNER, READER, GROUP = 64001, 64002, 64003  # nobody's, and so of no name on most machines
as_root = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="only root can become two other users"
)

# A process that has loaded the library, since another user may not be let into Python's folder;
# it does as each line says, as the user and the groups that the call names.
USER = """
import os, sys, traceback
import urllib.parse
from pathlib import Path
import numpy as np
from click.testing import CliRunner
from screener import HashList, Hash, Policy, Screener
from screener.cli.app import cli
from screener.cli import change_list, decision_options, import_list, inspect_list, scan
from screener.lists.importing import import_file
from screener.lists.inspecting import info, verify
from screener.lists.store import compact, transaction, video_frames
user, groups = int(sys.argv[1]), [int(one) for one in sys.argv[2].split(",")]
os.setgroups(groups[1:]); os.setgid(groups[0]); os.setuid(user); os.umask(0o077)
folder, space = Path(sys.argv[3]), {}
for line in sys.stdin:
    try:
        print(eval(compile(line, "asked", "eval"), globals()), flush=True)
    except Exception as error:
        print(f"{type(error).__name__}: {error}".replace("\\n", " "), flush=True)
"""


class User:
    """A user of the system, who evaluates expressions about the list, one after another."""

    def __init__(self, user, groups, folder):
        call = [sys.executable, "-c", USER, str(user), ",".join(map(str, groups)), str(folder)]
        self.process = subprocess.Popen(
            call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
        )

    def ask(self, text):
        """Return what an expression gives, or the error that it raises, as text."""
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")

    def close(self):
        """End it."""
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0


@pytest.fixture
def place():
    """A folder that every user can enter, and the owner of lists can write in."""
    made = Path(tempfile.mkdtemp(dir=os.path.realpath("/tmp"), prefix="screener-shared-"))
    made.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(made, OWNER, OWNER)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def users(place):
    """What starts users of the system, as root alone can."""
    started = []

    def start(user, *groups, folder=place / "known.list"):
        started.append(User(user, groups, folder))
        return started[-1]

    yield SimpleNamespace(
        owner=lambda: start(OWNER, OWNER, GROUP),
        reader=lambda: start(READER, READER, GROUP),
        stranger=lambda: start(READER, READER),
    )
    for one in started:
        one.close()


def file_of(place, name, *numbers):
    """A list file that the owner can read, of an entry for each number."""
    path = place / name
    path.write_text("".join(["id,md5\n", *(f"e{n},{value(n)}\n" for n in numbers)]))
    path.chmod(0o644)
    return path


def put(path, **settings):
    """The expression by which the owner imports a file."""
    words = "".join(f", {name}={setting!r}" for name, setting in settings.items())
    return f"HashList.open(folder).import_file({str(path)!r}, source='demo'{words}).generation"


def entry_of(number):
    """The expression for the entry that holds a value, in the list `known`."""
    hashed = f"Hash.parse('md5', '{value(number)}')"
    return (
        "[m.entry for m in Screener(space['known'], policy=Policy(digests_only=True))"
        f".match([{hashed}]).matches]"
    )


OPEN = "space.update(known=HashList.open(folder)) or space['known'].generation"
# Begins a transaction, which writes more than SQLite holds in memory.
BEGIN = (
    "space.update(t=transaction.write_exclusively(folder))"
    " or space.update(c=space['t'].__enter__())"
)
WRITE = (
    "space['c'].execute('PRAGMA cache_size = 10') and"
    " space['c'].execute(\"UPDATE imports SET file = 'x' || zeroblob(900000)\")"
)
REFRESH = "space.update(known=space['known'].refresh()) or space['known'].generation"


def modes_of(folder):
    """The modes and groups of a list's folder and of all in it."""
    facts = {path: path.stat() for path in (folder, *folder.rglob("*"))}
    return {
        (oct(stat.S_IMODE(one.st_mode)), stat.S_ISDIR(one.st_mode), one.st_gid)
        for one in facts.values()
    }


@pytest.mark.parametrize("umask", [0o777, 0o027, 0])
@pytest.mark.parametrize("made_with_it", [True, False])
def test_every_change_keeps_the_group(place, umask, made_with_it):
    """Files are 0640 and folders 2750, of the group, whatever is done to the list, and what SQLite
    makes beside its own as well; a list without a group stays its owner's alone.
    """
    group = os.getgid() if os.geteuid() else GROUP
    before = os.umask(umask)
    try:
        folder = place / "known.list"
        known = HashList.create(folder, group=str(group) if made_with_it else None)
        import_text = putting(known, place)
        (place / "file.csv").touch(0o600)
        (place / "file.csv").chmod(0o600)
        import_text(f"id,md5\na,{value(1)}\nb,{value(2)}", group=str(group))
        shared = {("0o640", False, group), ("0o2750", True, group)}
        with closing(sqlite3.connect(folder / "records.sqlite")) as connection:
            connection.execute("SELECT 1 FROM records")  # so that the log and its index stay
            assert modes_of(folder) == shared
            for change in (
                lambda: import_text(f"id,md5\nc,{value(3)}"),
                lambda: import_text(f"id,pdq\nd,{value(4, 32)}", source="other"),
                lambda: known.give_opinion("a", state="disputed", by="ann", reason="x"),
                lambda: known.refresh().rollback(1),
                lambda: known.refresh().compact(),
                lambda: match_counts.count(folder, [("demo", "a", "md5")]),
            ):
                change()
                assert modes_of(folder) == shared
            names = {path.name for path in folder.iterdir()}
            assert {"records.sqlite-wal", "records.sqlite-shm", "lock", "matches.sqlite"} < names
        known.refresh().purge("other")
        assert modes_of(folder) == shared
    finally:
        os.umask(before)


def test_a_list_in_a_folder_of_a_group_stays_private(place):
    """A folder inherits the set-group-ID bit from the one that it is made in: that alone gives
    nobody a right.
    """
    place.chmod(0o2775)
    known = HashList.create(place / "known.list")
    putting(known, place)(f"id,md5\na,{value(1)}")
    modes = {int(mode, 8) & 0o777 for mode, _, _ in modes_of(known.path)}
    assert modes == {0o600, 0o700}


def test_what_is_not_the_lists_is_left_alone(place):
    """A file that somebody put into the folder, and one behind a link, keep their modes."""
    known = HashList.create(place / "known.list")
    notes, behind = known.path / "notes.txt", place / "behind"
    for path in (notes, behind):
        path.touch()
        path.chmod(0o600)
    (known.path / "segments" / "md5-00000001-0123456789abcdef.idx").symlink_to(behind)
    putting(known, place)(f"id,md5\na,{value(1)}", group=str(os.getgid()))
    assert {stat.S_IMODE(path.stat().st_mode) for path in (notes, behind)} == {0o600}


def test_a_group_that_does_not_exist_is_told_before_anything_is_done(place):
    """By the command and in Python; and what to do."""
    file = file_of(place, "a.csv", 1)
    folder = place / "known.list"
    done = CliRunner().invoke(
        cli, ["import", str(file), "--into", str(folder), "--group", "no-such-group"]
    )
    assert isinstance(done.exception, ListError)
    assert "there is no group 'no-such-group'" in str(done.exception)
    assert "groupadd" in str(done.exception)
    assert not folder.exists()
    for wrong in ("", "-1", "4294967295", "4294967296" * 3, "a\0b", 5):
        with pytest.raises(ListError, match="group"):
            HashList.create(folder, group=wrong)
    assert not folder.exists()


def test_the_command_gives_a_list_a_group(place):
    """A new list and one that there is, by the group's name."""
    name = grp.getgrgid(os.getgid()).gr_name
    for file in (file_of(place, "a.csv", 1), file_of(place, "b.csv", 2)):
        call = ["import", str(file), "--into", str(place / "known.list"), "--group", name]
        assert CliRunner().invoke(cli, call, standalone_mode=False).return_value == 0
        assert modes_of(place / "known.list") == {
            ("0o640", False, os.getgid()),
            ("0o2750", True, os.getgid()),
        }


@as_root
def test_a_group_that_the_owner_is_not_in_is_told(place, users):
    """A user may give files only to groups of theirs; the file is not imported then."""
    owner = users.stranger()  # as any user, in no group but their own
    os.chown(place, READER, READER)
    file = file_of(place, "a.csv", 1)
    told = owner.ask(f"HashList.create(folder, group='{GROUP}')")
    assert told.startswith("ListError: ")
    assert f"to the group {GROUP}" in told
    assert "usermod" in told
    assert not (place / "known.list").exists()
    owner.ask("HashList.create(folder)")
    assert "usermod" in owner.ask(put(file, group=str(GROUP)))
    assert owner.ask("HashList.open(folder).generation") == "0"


@as_root
def test_a_user_of_the_group_screens_and_refreshes_while_imports_run(place, users):
    """Whoever may read and not write sees every generation that is published, and no error."""
    owner, reader = users.owner(), users.reader()
    owner.ask("HashList.create(folder)")
    assert owner.ask(put(file_of(place, "0.csv", 0), group=str(GROUP))) == "1"
    assert reader.ask("os.access(folder, os.W_OK)") == "False"
    assert reader.ask(OPEN) == "1"
    assert reader.ask(entry_of(0)) == "['e0']"
    rounds = 12
    for n in range(1, rounds):
        file_of(place, f"{n}.csv", n)
    owner.process.stdin.write(
        f"[HashList.open(folder).import_file('{place}/%d.csv' % n, source='demo').generation"
        f" for n in range(1, {rounds})]\n"
    )
    owner.process.stdin.flush()
    while (seen := reader.ask(REFRESH)) != str(rounds):
        assert seen.isdigit(), seen
        assert reader.ask(entry_of(0)) == "['e0']"
        assert reader.ask("space['known'].info().sources['demo']['confirmed'] > 0") == "True"
    assert owner.process.stdout.readline().startswith("[2, 3,")
    assert reader.ask(entry_of(rounds - 1)) == f"['e{rounds - 1}']"


@as_root
def test_a_user_of_the_group_reads_in_the_middle_of_an_import_and_after_a_kill(place, users):
    """With the log of SQLite half written by a live writer; left by one that was killed; kept by a
    reader that was at it when the writer ended; and emptied by a writer.
    """
    owner, reader = users.owner(), users.reader()
    owner.ask(f"HashList.create(folder, group='{GROUP}')")
    owner.ask(put(file_of(place, "a.csv", 1)))
    assert reader.ask(OPEN) == "1"
    owner.ask(BEGIN)
    owner.ask(WRITE)
    assert (place / "known.list" / "records.sqlite-wal").stat().st_size
    for _ in range(2):
        assert reader.ask(OPEN) == "1"
        assert reader.ask(entry_of(1)) == "['e1']"
    owner.ask("space['c'].execute('ROLLBACK') and space['c'].execute('BEGIN')")
    file_of(place, "b.csv", 2)
    owner.process.kill()
    owner.process.wait()
    owner.process.returncode = 0
    assert reader.ask(REFRESH) == "1"
    assert reader.ask(entry_of(1)) == "['e1']"

    owner = users.owner()
    reader.ask("space.update(c=transaction.database.connect(folder, 'ro'))")
    reader.ask("space.update(q=space['c'].execute('SELECT id FROM imports'))")
    assert owner.ask(put(place / "b.csv")) == "2"
    assert (place / "known.list" / "records.sqlite-wal").stat().st_size
    assert reader.ask("space.pop('q').close() or space.pop('c').close()") == "None"
    assert reader.ask(REFRESH) == "2"
    assert reader.ask(entry_of(2)) == "['e2']"
    assert owner.ask(put(file_of(place, "c.csv", 3))) == "3"
    assert (place / "known.list" / "records.sqlite-wal").stat().st_size == 0  # the reader has it
    assert reader.ask(REFRESH) == "3"
    assert reader.ask(entry_of(3)) == "['e3']"


@as_root
def test_who_may_not_read_a_list_hears_of_the_group(place, users):
    """Opening, and refreshing once the rights are gone, name `--group`; whatever it is that cannot
    be read: the folder, the database, its log or an index file.
    """
    owner, stranger = users.owner(), users.stranger()
    owner.ask("HashList.create(folder)")
    file = file_of(place, "a.csv", 1)
    owner.ask(put(file))
    folder = place / "known.list"

    def told(asked):
        answer = stranger.ask(asked)
        assert answer.startswith("ListError: you may not read "), answer
        assert f"--into {folder} --group NAME" in answer
        return answer

    told(OPEN)
    folder.chmod(0o755)
    assert "records.sqlite" in told(OPEN)
    (folder / "records.sqlite").chmod(0o644)
    assert "segments" in told(OPEN)
    (folder / "segments").chmod(0o755)
    assert ".idx" in told(OPEN)
    for path in (folder / "segments").iterdir():
        path.chmod(0o644)
    assert stranger.ask(OPEN) == "1"
    owner.ask(put(file_of(place, "b.csv", 2)))  # its new files are the owner's alone
    assert ".idx" in told(REFRESH)
    (folder / "segments").chmod(0o700)
    told(REFRESH)
    folder.chmod(0o700)
    told(REFRESH)
    told("Screener(space['known']).refresh()")
    place.chmod(0o700)
    answer = stranger.ask(REFRESH)
    assert answer.startswith(f"ListError: you may not enter {place}, in which the list")


@as_root
@pytest.mark.parametrize(
    "words", ["info LIST", "scan x.jpg --list LIST", "import FILE --into LIST"]
)
def test_a_command_of_who_may_not_read_a_list_says_what_to_do(place, users, words):
    """As `HashList.open` does, instead of naming the argument alone."""
    file = file_of(place, "a.csv", 1)
    owner, stranger = users.owner(), users.stranger()
    owner.ask("HashList.create(folder).generation")
    names = {"LIST": str(place / "known.list"), "FILE": str(file)}
    words = [names.get(word, word) for word in words.split()]

    done = stranger.ask(f"repr(CliRunner().invoke(cli, {words!r}).exception)")

    assert done.startswith("ListError(")
    assert "you may not read" in done
    assert "--group NAME" in done


@as_root
def test_a_log_that_may_not_be_read_is_told(place, users):
    """SQLite says that it cannot open the database; which file it is, and what to do, is said."""
    owner, reader = users.owner(), users.reader()
    owner.ask(f"HashList.create(folder, group='{GROUP}')")
    owner.ask(put(file_of(place, "a.csv", 1)))
    owner.ask(BEGIN)
    owner.ask(WRITE)
    (place / "known.list" / "records.sqlite-wal").chmod(0o600)
    answer = reader.ask(OPEN)
    assert answer.startswith("ListError: you may not read ")
    assert "records.sqlite-wal" in answer
    assert "--group NAME" in answer
