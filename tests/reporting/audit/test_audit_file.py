"""The opening of an audit log: nothing that was done to it between two runs is laundered."""

import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
from audit_edits import EDITS, edited, recomputed, write
from command_process import screener
from hypothesis import given, settings
from hypothesis import strategies as st
from signing_keys import make_keys

from screener import HashList, Screener, ScreenerError, audit
from screener.reporting.audit.audit_file import AuditFile


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A list, a key, and logs of three runs with their heads, one signed and one not."""
    folder = tmp_path_factory.mktemp("opening")
    (folder / "known.csv").write_text(f"id,pdq\none,{'0123456789abcdef' * 4}\n")
    HashList.create(folder / "known.list").import_file(folder / "known.csv")
    make_keys(folder)
    make_keys(folder, "other")
    engine = Screener(HashList.open(folder / "known.list"))
    for name, key in (("signed", folder / "key.pem"), ("bare", None), ("second", None)):
        for _ in range(3):
            write(folder / name, engine, 2, key=key)
    write(folder / "another", engine, 1, key=folder / "key.pem")
    return folder


@pytest.fixture(scope="module")
def engine(place):
    """A Screener of the list."""
    return Screener(HashList.open(place / "known.list"))


def copied(place, name, folder):
    """A log and its head, to be edited, and its key."""
    for one in (name, f"{name}.head"):
        shutil.copy(place / one, folder / one.replace(name, "log"))
    return folder / "log", place / "key.pem" if name == "signed" else None


def bytes_of(*paths):
    """What stands in files; None for one that is not there."""
    return [path.read_bytes() if path.exists() else None for path in paths]


def found_or_refused(log, engine, place, key, before):
    """What has to hold of an edited log that an ordinary run goes on with."""
    head = log.with_name("log.head")
    edited_bytes = bytes_of(log, head)
    try:
        write(log, engine, 1, key=key)
    except ScreenerError:
        assert bytes_of(log, head) == edited_bytes  # kept as it is
        return "refused"
    if log.read_bytes().startswith(before):
        return "nothing is missing"
    assert audit.verify(log, key=key and place / "key.pub.pem").trouble
    return "found"


@settings(max_examples=150, deadline=None)
@given(edit=EDITS, name=st.sampled_from(["signed", "bare"]))
def test_an_edit_is_found_after_another_run(place, engine, tmp_path_factory, edit, name):
    """Any edit of the log, then an ordinary run: it is refused, or the edit is found."""
    log, key = copied(place, name, tmp_path_factory.mktemp("edit"))
    before = log.read_bytes()
    log.write_bytes(edited(before, edit))

    found_or_refused(log, engine, place, key, before)


@settings(max_examples=100, deadline=None)
@given(edit=EDITS, on_head=EDITS)
def test_an_edit_of_log_and_head_is_found_after_another_run(
    place, engine, tmp_path_factory, edit, on_head
):
    """Any edit of both files; and both written anew by somebody without the key."""
    log, key = copied(place, "signed", tmp_path_factory.mktemp("both"))
    head, before = log.with_name("log.head"), log.read_bytes()
    changed, told = edited(before, edit), edited(head.read_bytes(), on_head)
    log.write_bytes(changed)
    head.write_bytes(told)
    found_or_refused(log, engine, place, key, before)

    log, key = copied(place, "signed", log.parent)
    log.write_bytes(changed)
    try:
        recomputed(log)
    except (ValueError, TypeError, UnboundLocalError):
        return  # no log any more
    found_or_refused(log, engine, place, key, before)


@pytest.mark.parametrize("lines", [1, 3, 4, 5, 8, 11, 12])
@pytest.mark.parametrize("name", ["signed", "bare"])
@pytest.mark.parametrize("beside", ["own", "none", "another", "unsigned"])
def test_a_cut_is_not_laundered(place, engine, tmp_path, lines, name, beside):
    """The end is cut off, and the head left, taken away, replaced by that of another log, or
    stripped of its signature: the next run is refused, with both files left as they are.
    """
    log, key = copied(place, name, tmp_path)
    head, before = tmp_path / "log.head", log.read_bytes()
    log.write_bytes(b"".join(before.splitlines(keepends=True)[:lines]))
    if beside == "none":
        head.unlink()
    elif beside == "another":
        shutil.copy(place / ("another.head" if key else "second.head"), head)
    elif beside == "unsigned":
        head.write_bytes(head.read_bytes().splitlines(keepends=True)[0])
    untouched = lines == 12 and (beside == "own" or (beside == "unsigned" and key is None))

    said = found_or_refused(log, engine, place, key, before)

    assert said == ("nothing is missing" if untouched else "refused")


def test_without_log_and_head_a_new_log_begins(place, engine, tmp_path):
    """Only a head stored elsewhere reveals that both were removed."""
    kept = audit.verify(place / "signed").head

    write(tmp_path / "log", engine, 1, key=place / "key.pem")

    assert not audit.verify(tmp_path / "log", key=place / "key.pub.pem").trouble
    assert audit.verify(tmp_path / "log", head=kept).trouble


def test_a_cut_is_not_laundered_by_the_command(place, tmp_path):
    """A signed log is cut and its head removed; the next scan says so and what to do."""
    log, key = copied(place, "signed", tmp_path)
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:10]))
    (tmp_path / "log.head").unlink()
    call = ("match", "--list", place / "known.list", "--audit", log, "--audit-key", key)

    done = screener(*call, input="")

    assert done.returncode == 2
    for words in ("lines but no head", "may have been", "evidence", "audit verify", "another log"):
        assert words in done.stderr.replace("\n", " ")
    assert screener("audit", "verify", log).returncode == 3


def test_a_log_has_one_key_or_none(place, engine, tmp_path):
    """Runs continue with the same key, or all without; any other key is refused."""
    keys = {None: "bare", place / "key.pem": "signed"}
    for key, name in keys.items():
        log, _ = copied(place, name, tmp_path)
        for wrong in {*keys, place / "other.pem"} - {key}:
            before = bytes_of(log, tmp_path / "log.head")
            with pytest.raises(ScreenerError, match="sign"):
                audit.open_log(log, engine, key=wrong)
            assert bytes_of(log, tmp_path / "log.head") == before
        write(log, engine, 1, key=key)
        found = audit.verify(log, key=key and place / "key.pub.pem")
        assert (found.trouble, found.closed, found.runs) == ((), True, 4)


@pytest.fixture(params=[False, True])
def begun(place, engine, tmp_path, monkeypatch, request):
    """A log whose first run was killed behind two decisions, the heads that it has had, and key."""
    key, public = (place / "key.pem", place / "key.pub.pem") if request.param else (None, None)
    log, heads = tmp_path / "log", []
    write_head = AuditFile.write_head

    def noting(self):
        write_head(self)
        heads.append((log.stat().st_size, log.with_name("log.head").read_bytes()))

    with monkeypatch.context() as patched:
        patched.setattr(AuditFile, "write_head", noting)
        killed = audit.open_log(log, engine, key=key)
    for name in "ab":
        killed.write(engine.match([], input=name))
    killed._file._claimed.file.close()
    return SimpleNamespace(log=log, head=tmp_path / "log.head", heads=heads, key=key, public=public)


def test_there_is_a_head_from_the_first_run_on(begun, engine):
    """Before the first line a head of no line, and one that covers that line as soon as it is
    there; a log that was killed at any byte of its first line is begun anew, and one that was
    killed behind it goes on.
    """
    log, first = begun.log, begun.log.read_bytes().splitlines(keepends=True)[0]
    (nothing, before), (size, told), *_ = begun.heads
    assert (nothing, json.loads(before.splitlines()[0])["lines"]) == (0, 0)
    assert size == json.loads(told.splitlines()[0])["bytes"] == len(first)
    found = audit.verify(log, key=begun.public)
    assert (found.trouble, found.closed, found.unclosed) == ((), False, (1,))
    for cut in (0, 1, 11, 40, len(first) - 1, len(first)):
        log.write_bytes(first[:cut])
        begun.head.write_bytes(before)
        assert not audit.verify(log, key=begun.public).closed

        write(log, engine, 1, key=begun.key)

        found = audit.verify(log, key=begun.public)
        assert (found.trouble, found.closed) == ((), True)
        assert (found.lines, found.unclosed) == ((4, (1,)) if cut == len(first) else (3, ()))


def test_a_first_run_that_was_killed_cannot_be_cut_to_nothing(begun, engine):
    """Its head covers a line: a log below that is found, and refused as it is, as is one of which
    lines are left and the head of no line was put back.
    """
    whole = begun.log.read_bytes()
    size = len(whole.splitlines(keepends=True)[0])
    for cut, head in [
        *((cut, begun.heads[-1][1]) for cut in (0, 1, 40, size - 1)),
        (len(whole), begun.heads[0][1]),
    ]:
        begun.log.write_bytes(whole[:cut])
        begun.head.write_bytes(head)
        before = bytes_of(begun.log, begun.head)

        with pytest.raises(ScreenerError, match="does not fit its head"):
            audit.open_log(begun.log, engine, key=begun.key)

        assert bytes_of(begun.log, begun.head) == before
        assert "cut or changed" in audit.verify(begun.log, key=begun.public).trouble[-1]


def test_lines_of_a_killed_run_are_counted(engine, tmp_path):
    """In the next run's first line, and by verify ever after."""
    log = tmp_path / "log"
    write(log, engine, 1)
    killed = audit.open_log(log, engine)
    for name in "abc":
        killed.write(engine.match([], input=name))
    killed._file._claimed.file.close()

    write(log, engine, 1)

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    opened = [line.get("unheaded") for line in lines if line["event"] == "open"]
    assert opened == [None, None, 3]
    found = audit.verify(log)
    assert (found.trouble, found.closed, found.unclosed) == ((), True, (4,))
    assert "line 4" in screener("audit", "verify", log).stdout
    # And not below the first line of the run that was killed.
    data = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(data[:3]))
    with pytest.raises(ScreenerError, match="does not fit its head"):
        audit.open_log(log, engine)


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_run_that_could_not_begin_writes_no_closing_line(engine, tmp_path, monkeypatch, error):
    """On a full disk, for example; as first line it would look like an edit."""
    log, append = tmp_path / "log", AuditFile.append

    def fails(self, event, **facts):
        if event == "open":
            raise error
        append(self, event, **facts)

    for runs in (0, 1):
        before = log.read_bytes() if runs else None
        with monkeypatch.context() as patched:
            patched.setattr(AuditFile, "append", fails)
            with pytest.raises(error), audit.claim_log(log) as claimed:
                claimed.begin(engine)
        assert (log.read_bytes() if log.exists() else None) == before
        write(log, engine, 1)
        found = audit.verify(log)
        assert (found.runs, found.trouble, found.closed) == (runs + 1, (), True)


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from screener import HashList, Screener, audit
folder, key, rounds = Path(sys.argv[1]), sys.argv[2] or None, int(sys.argv[3])
engine = Screener(HashList.open(sys.argv[4]))
public = key and key.replace(".pem", ".pub.pem")
draw = random.Random(7)
for number in range(rounds):
    log = folder / f"log{number}"
    for _ in range(4):
        child = os.fork()
        if not child:
            for _ in range(1000):
                with audit.open_log(log, engine, key=key) as writer:
                    for name in "ab":
                        writer.write(engine.match([], input=name))
        time.sleep(draw.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = audit.verify(log, key=public) if log.exists() else None
        cut_short = found and [one for one in found.trouble if "cut short" not in one]
        assert not cut_short, cut_short
    with audit.open_log(log, engine, key=key):
        pass
    found = audit.verify(log, key=public)
    assert not found.trouble and found.closed, found
"""


@pytest.mark.parametrize("key", [False, True])
def test_a_killed_run_can_go_on(place, tmp_path, key):
    """kill -9 at random moments, of which many hit the first opening: the next run goes on, and
    nothing is taken for an edit.
    """
    key = place / "key.pem" if key else ""
    call = [sys.executable, "-c", KILLED, tmp_path, key, "25", place / "known.list"]

    done = subprocess.run(call, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr
