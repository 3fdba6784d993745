"""JSON Lines: one whole line a result, in a file that only its owner reads."""

import base64
import errno
import io
import json
import multiprocessing
import os
import random
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from command_process import screener
from paths import REPOSITORY

from screener import HashCache, HashList, Screener, audit, output
from screener.errors import OutputError, WorkerError
from screener.screening.result import (
    Appearance,
    ListState,
    Match,
    MediaFacts,
    Reason,
    Result,
    Verdict,
)
from screener.screening.video_rule.agreement import Agreement, Rule


def test_each_result_is_one_flushed_json_line(tmp_path):
    """In order, one JSON object per line."""
    engine = Screener(HashList.create(tmp_path / "known.list"))
    results = [engine.screen(b""), engine.screen("missing é\n.jpg")]
    path = tmp_path / "results.jsonl"

    with output.open_jsonl(path) as out:
        for number, result in enumerate(results, start=1):
            out.write(result)
            lines = path.read_text(encoding="utf-8").splitlines()
            assert len(lines) == number

    assert [json.loads(line) for line in lines] == [result.to_dict() for result in results]


def test_a_line_equals_its_dictionary_after_other_lines():
    """Facts shared by many lines are encoded once; each line has its own."""
    draw = random.Random(1)
    for number in range(200):
        result = Result(
            input=f'a "{number}" \u0421\n', input_bytes=draw.choice([None, b"\xff"]), bytes=number,
            mtime_ns=None, verdict=Verdict.UNSCREENED, reason=Reason.EMPTY, detail=None,
            media=draw.choice([None, MediaFacts("image/png", 3, 4, 1)]), matches=(), other_hits=(),
            lists=tuple(ListState(draw.choice("ab"), draw.randrange(2), draw.choice("cd"), 0)
                        for _ in range(draw.randrange(3))),
            policy=draw.choice(["p", "q"]), versions=(("kernel", draw.choice(["x", "y"])),),
            seconds=draw.choice([None, 0.0, 1e-06, 2.5]),
        )  # fmt: skip

        line = result.to_json()

        expected = json.dumps(result.to_dict(), ensure_ascii=False, separators=(",", ":"))
        assert line == expected.replace("1e-06", "1e-6")  # the same number


def test_times_are_written_to_the_microsecond():
    """Further digits come from computing a frame's time."""
    noisy, told = 1.0010000000000001, 1.001
    match = Match("l", "s", "e", "confirmed", "pdq", 0, 31, "upright", "full", 30, "frame", noisy,
                  ())  # fmt: skip
    video = Agreement(Rule.RUN, 0, 5, 6, 7, 8, (noisy, 6 * noisy), (noisy, noisy))
    seen = Appearance("l", "s", "e", "confirmed", "pdq", 0, 2, ((noisy, 2 / 3),))
    result = Result(
        input="a", input_bytes=None, bytes=1, mtime_ns=None, verdict=Verdict.MATCH, reason=None,
        detail=None, media=MediaFacts("video/mp4", 3, 4, 1, noisy),
        matches=(match, replace(match, kind="vpdq", video=video)), other_hits=(), lists=(),
        policy="p", versions=(), timeline=(seen,),
    )  # fmt: skip

    line = json.loads(result.to_json())

    assert line["media"]["duration"] == told
    assert [one["time"] for one in line["matches"]] == [told, told]
    assert line["matches"][1]["video"]["input_span"] == [told, 6.006]
    assert line["timeline"][0]["spans"] == [[told, 0.666667]]


def test_an_existing_result_file_becomes_private(tmp_path):
    """Mode 0600, and the old content is gone."""
    path = tmp_path / "results.jsonl"
    path.write_text('{"schema":1,"input":"old"}\n')
    path.chmod(0o644)

    output.open_jsonl(path).close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == ""


@pytest.mark.skipif(not hasattr(os, "fchmod"), reason="needs modes")
@pytest.mark.parametrize(
    ("opened", "held"),
    [
        (output.claim_jsonl, b'{"schema":1,"input":"old"}\n'), (audit.claim_log, b""),
        (HashCache.open, b""),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_made_private_is_refused_as_it_was(
    tmp_path, monkeypatch, opened, held
):
    """Somebody else's, which one may write to, or one on a disk without modes: by its name, before
    anything of it goes.
    """

    def refuses(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    path = tmp_path / "file"
    path.write_bytes(held)
    path.chmod(0o640)
    monkeypatch.setattr(os, "chmod", refuses)
    monkeypatch.setattr(os, "fchmod", refuses)

    with pytest.raises(
        OutputError, match=r"file can be read by others, and that cannot be changed"
    ):
        opened(path)

    assert path.read_bytes() == held


@pytest.mark.skipif(not hasattr(os, "fchmod"), reason="needs modes")
def test_a_private_file_needs_no_chmod(tmp_path, monkeypatch):
    """On a read-only disk, chmod would report the wrong trouble."""
    monkeypatch.setattr(os, "chmod", None)
    (tmp_path / "file").write_bytes(b"")
    os.fchmod(descriptor := os.open(tmp_path / "file", os.O_RDONLY), 0o600)
    os.close(descriptor)
    output.open_jsonl(tmp_path / "file").close()
    HashCache.open(tmp_path / "cache").__exit__(None, None, None)


@pytest.mark.parametrize(
    "held",
    [
        b"\xff\xd8\xff\xe0 a picture", b"a,b\n", b'{"input":1}\n',
        b'{"schema":"screener-audit-head/1","lines":1}\n', b'{"schema": "screener-bloom/1"}\n',
    ],
)  # fmt: skip
def test_results_are_written_over_nothing_but_results(tmp_path, held):
    """What is forgotten before `-o` may be the picture that was to be screened, and its only copy;
    a file without a byte, and half a first line, are nobody's.
    """
    path = tmp_path / "a.jpg"
    path.write_bytes(held)

    with pytest.raises(OutputError, match=r"a\.jpg holds something else than results"):
        output.open_jsonl(path)

    assert path.read_bytes() == held
    for little in (b"", b'{"sch'):
        path.write_bytes(little)
        output.open_jsonl(path).close()
        assert path.read_bytes() == b""


def test_a_device_keeps_its_mode():
    """Only a regular file is made private."""
    before = os.stat(os.devnull).st_mode

    output.open_jsonl(os.devnull).close()

    assert os.stat(os.devnull).st_mode == before


def test_a_name_that_is_not_text_makes_a_utf8_line(tmp_path):
    """Whatever a caller names an input."""
    engine = Screener(HashList.create(tmp_path / "known.list"))
    with output.open_jsonl(tmp_path / "results.jsonl") as out:
        out.write(engine.match([], input="odd \udcff name"))

    (line,) = (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()
    told = json.loads(line)
    assert told["input"] == "odd \ufffd name"
    assert base64.b64decode(told["input_base64"]) == b"odd \xff name"


def test_earlier_prints_come_before_the_lines(tmp_path, monkeypatch):
    """Although standard output buffers text."""
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="utf-8"))
    print("first")
    with output.open_jsonl() as out:
        out.write(Screener(HashList.create(tmp_path / "known.list")).screen(b""))

    assert shown.getvalue().startswith(b'first\n{"schema":')


def test_a_closed_standard_output_is_refused(monkeypatch):
    """As in a program without a console."""
    monkeypatch.setattr(sys, "stdout", None)

    with pytest.raises(OSError, match="standard output is closed; name a file"):
        output.open_jsonl()


def test_a_process_that_still_loads_the_program_opens_no_results(tmp_path, monkeypatch):
    """It would lock out the scan that started it, or be locked out, before that says what is
    wrong.
    """
    engine, path = Screener(HashList.create(tmp_path / "known.list")), tmp_path / "r"
    this = multiprocessing.current_process()
    monkeypatch.setattr(this, "_inheriting", True, raising=False)

    with pytest.raises(WorkerError, match="still loads the program"):
        output.open_jsonl(path)
    with pytest.raises(WorkerError, match="still loads the program"):
        output.resume_jsonl(path, engine)

    assert not path.exists()


def test_only_a_regular_file_is_continued(tmp_path):
    """A device stores no lines."""
    engine = Screener(HashList.create(tmp_path / "known.list"))

    with pytest.raises(OutputError, match="not a regular file"):
        output.resume_jsonl(os.devnull, engine)


def test_a_file_that_was_refused_or_could_not_be_begun_is_free_again(tmp_path, monkeypatch):
    """For who mends what was wrong, in the same process too."""
    engine, path = Screener(HashList.create(tmp_path / "known.list")), tmp_path / "r"
    path.write_bytes(b"a picture\n")

    def refuses(*_):
        raise PermissionError("not yours")

    with pytest.raises(OutputError, match="not a result") as refused:
        output.resume_jsonl(path, engine)
    path.write_bytes(b"")
    with monkeypatch.context() as patch:
        patch.setattr(output, "make_private", refuses)
        with pytest.raises(PermissionError) as unbegun:
            output.open_jsonl(path)

    # Both errors are still at hand, and what was under way where they were raised.
    assert refused.tb is not None
    assert unbegun.tb is not None
    output.open_jsonl(path).close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_raises_an_error_with_the_file_name(tmp_path):
    """At once, and again when the file is closed."""
    result = Screener(HashList.create(tmp_path / "known.list")).screen(b"")
    out = output.open_jsonl("/dev/full")

    with pytest.raises(OSError, match="No space left") as written:
        out.write(result)
    with pytest.raises(OSError, match="No space left") as closed:
        out.close()

    assert written.value.filename == closed.value.filename == "/dev/full"


def test_standard_output_stays_open(tmp_path, capsys):
    """Without a path, lines go to standard output."""
    engine = Screener(HashList.create(tmp_path / "known.list"))
    with output.open_jsonl() as out:
        out.write(engine.screen(b""))
    print("still open")

    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first)["reason"] == "empty"
    assert second == "still open"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_reported_once_with_the_file_name(tmp_path):
    """Exit code 2, one line, and no message about workers."""
    images = REPOSITORY / "fixtures" / "images"
    HashList.create(tmp_path / "known.list")

    done = screener("scan", images, "--list", tmp_path / "known.list", "-o", "/dev/full")

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    full = "screener: /dev/full: No space left on device"
    assert line == f"{full}: make room, or write to another disk"


def test_results_that_somebody_removed_meanwhile_are_not_taken_for_written(tmp_path):
    """The file has no name any more, and what was written goes with it; one that was moved away is
    where it was moved to. An interruption stays one.
    """
    path = tmp_path / "r.jsonl"
    result = Screener(HashList.create(tmp_path / "known.list")).screen(b"")
    out = output.open_jsonl(path)
    path.unlink()
    out.write(result)
    with pytest.raises(OutputError, match="removed while results were written"):
        out.close()
    with output.open_jsonl(path) as out:
        path.rename(tmp_path / "moved.jsonl")
        out.write(result)
    assert (tmp_path / "moved.jsonl").read_text().count("\n") == 1
    stopped = output.open_jsonl(path)
    path.unlink()
    stopped.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)


def test_a_dash_is_standard_output(tmp_path):
    """No file of that name is created."""
    images = REPOSITORY / "fixtures" / "images"
    HashList.create(tmp_path / "known.list")
    call = ("scan", images / "alley.jpg", "--list", tmp_path / "known.list", "-o", "-")

    done = screener(*call, cwd=tmp_path)

    assert json.loads(done.stdout)["input"] == str(images / "alley.jpg")
    assert not (tmp_path / "-").exists()
