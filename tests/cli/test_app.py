"""The command line, as a process: exit codes, streams and what they say."""

import dataclasses
import json
import os
import runpy
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from command_process import CALL, screener
from msgspec import structs
from paths import REPOSITORY
from PIL import Image
from timing import soonest

from screener import HashList
from screener.cli import hash, launch
from screener.cli.app import cli
from screener.hashing import pdq
from screener.media.name import Name
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import Hashes, OrientedHashes
from screener.screening.result import MediaFacts

IMAGES = REPOSITORY / "fixtures" / "images"
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


@pytest.fixture
def known(tmp_path):
    """The fixtures' list, imported."""
    into = tmp_path / "known.list"
    done = screener("import", REPOSITORY / "fixtures/known.csv", "--into", into, "--source", "demo")
    assert done.returncode == 0, done.stderr
    return into


def test_import_prints_counts_and_the_bad_row(tmp_path):
    """Quarantined rows do not fail an import; they are counted and named by line."""
    done = screener("import", REPOSITORY / "fixtures/known.csv", "--into", tmp_path / "new.list")

    assert done.returncode == 0
    assert "9 rows read, 8 added" in done.stderr
    assert "1 row quarantined" in done.stderr
    assert "line 10: pdq" in done.stderr
    assert "0123" not in done.stderr


def test_import_takes_a_scheme_a_state_and_a_mapping(tmp_path):
    """If the file has none; an unknown format is refused with the known ones."""
    vics = tmp_path / "vics.json"
    vics.write_text(json.dumps({"value": [{"MediaID": 1, "MD5": "ab" * 16, "Category": 1}]}))
    own = tmp_path / "own.csv"
    own.write_text(f"Ref;H\n1;{'cd' * 16}\n")
    columns = tmp_path / "own.toml"
    columns.write_text('[columns]\nRef = "entry"\nH = "md5"\n')
    into = ("--into", tmp_path / "new.list")

    refused = screener("import", vics, *into)
    taken = screener("import", vics, *into, "--scheme", "vics-us-2.0")
    mapped = screener("import", own, *into, "--mapping", columns, "--state", "known_good")
    odd = screener("import", own, *into, "--format", "odd")

    assert (refused.returncode, "--scheme" in refused.stderr) == (2, True)
    assert (taken.returncode, "1 added" in taken.stderr) == (0, True)
    assert (mapped.returncode, "1 added" in mapped.stderr) == (0, True)
    assert (odd.returncode, "stopncii" in odd.stderr) == (2, True)
    told = json.loads(screener("info", tmp_path / "new.list", "--json").stdout)
    assert told["states"] == {"confirmed": 1, "known_good": 1}


def test_strict_import_refuses_the_file_and_changes_nothing(known):
    """The bad row is named by file and line; the generation stays."""
    before = screener("info", known, "--json").stdout
    bad = known.parent / "bad.csv"
    bad.write_text("id,md5\na," + "5a" * 16 + "\nb,xyz\n")

    done = screener("import", bad, "--into", known, "--strict")

    assert done.returncode == 2
    assert "bad.csv" in done.stderr
    assert "line 3" in done.stderr
    after = json.loads(screener("info", known, "--json").stdout)
    assert after["generation"] == json.loads(before)["generation"]


def test_scan_gives_each_fixture_its_verdict(known, tmp_path):
    """Matches, misses and failures are as the names of the fixtures say; exit code 1."""
    out = tmp_path / "results.jsonl"

    done = screener("scan", IMAGES, "--list", known, "-o", out, "--jobs", 2)

    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    told = {
        Path(line["input"]).name: line["reason"] or [m["entry"] for m in line["matches"]]
        for line in lines
    }
    assert done.returncode == 1, done.stderr
    assert told == {
        "alley.jpg": [],
        "blank.png": "too_little_detail",
        "bridge.jpg": [],
        "empty.jpg": "empty",
        "harbour.jpg": ["demo-0001"] * 3,
        "kiosk-mirrored.jpg": ["demo-0003"],
        "market.jpg": [],
        "meadow-half.jpg": ["demo-0002"],
        "mislabelled-png.jpg": ["demo-0005"],
        "reported-not-assessed.webp": [],
        "stairs-exif-turned.jpg": ["demo-0004"],
        "text.jpg": "unsupported",
        "tiny.png": "too_little_detail",
        "truncated.jpg": "truncated",
        "withdrawn.jpg": [],
    }
    assert "15 screened: 5 match, 5 no_match, 5 unscreened" in done.stderr
    assert done.stdout == ""
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["alley.jpg", "bridge.jpg"], 0),
        (["alley.jpg", "harbour.jpg", "blank.png"], 1),
        (["alley.jpg", "blank.png"], 3),
        (["missing.jpg"], 3),
    ],
)
def test_exit_codes_of_scan(known, names, code):
    """0 all clear, 1 a match, 3 no match but something unscreened."""
    done = screener("scan", *(IMAGES / name for name in names), "--list", known)

    assert done.returncode == code
    assert len(done.stdout.splitlines()) == len(names)


@pytest.mark.parametrize(
    "arguments",
    [
        ["scan", "x"],
        ["scan", "x", "--list", "missing.list"],
        ["scan", "x", "--list", str(IMAGES)],
        ["scan", "x", "--list", str(REPOSITORY / "README.md")],
        ["scan", "--list", str(REPOSITORY / "fixtures/known.csv")],
        ["scan", "x", "--list", str(REPOSITORY / "fixtures/known.csv"), "--jobs", "0"],
        [
            "scan",
            "x",
            "--list",
            str(REPOSITORY / "fixtures/known.csv"),
            "--policy",
            str(REPOSITORY / "LICENSE"),
        ],
        [
            "scan",
            "x",
            "--list",
            str(REPOSITORY / "fixtures/known.csv"),
            "-o",
            "/no/such/folder/out",
        ],
        ["import", str(REPOSITORY / "LICENSE"), "--into", "new.list"],
        ["hash", str(IMAGES), "--kinds", "photodna"],
        ["hash", str(IMAGES), "--kinds", "sha3"],
        ["nonsense"],
        *(
            ["scan", "x", "--list", str(REPOSITORY / "fixtures/known.csv"), option, ""]
            for option in ("-o", "--audit", "--cache", "--resume")
        ),
        ["export", "empty.list", "--format", "csv", "--audience", "own", "-o", ""],
    ],
)
def test_a_wrong_call_or_list_exits_with_2_and_a_message(tmp_path, arguments):
    """No traceback, and no bug is reported."""
    HashList.create(tmp_path / "empty.list")
    done = screener(*arguments, cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
    assert "fault of screener" not in done.stderr
    assert done.stdout == ""


def test_a_list_file_can_be_given_as_list():
    """It is imported for the command."""
    done = screener("scan", IMAGES / "harbour.jpg", "--list", REPOSITORY / "fixtures/known.csv")

    (line,) = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 1
    assert {m["kind"] for m in line["matches"]} == {"md5", "sha256", "pdq"}


def test_a_list_and_its_own_file_can_be_given_together(known):
    """As in the help's example."""
    lists = ["--list", known, "--list", REPOSITORY / "fixtures/known.csv"]

    done = screener("scan", IMAGES / "kiosk-mirrored.jpg", *lists)

    (line,) = map(json.loads, done.stdout.splitlines())
    assert [m["list"] for m in line["matches"]] == ["known", "known.csv"]


@pytest.mark.parametrize(
    ("command", "closed", "code"),
    [("scan", "1>&-", 2), ("scan", "2>&-", 1), ("match", "0<&-", 2), ("match", "1>&-", 2)],
)
def test_a_closed_stream_never_exits_with_1(known, command, closed, code):
    """Python's exit code for a traceback is 1, which would mean a match."""
    main = "from screener.cli.app import main; main()"
    arguments = f"scan {IMAGES}/harbour.jpg" if command == "scan" else "match"
    call = f"{sys.executable} -c '{main}' {arguments} --list {known} {closed}"

    done = subprocess.run(call, shell=True, input=b"", capture_output=True, timeout=60)

    assert done.returncode == code, done.stderr


def test_output_is_utf8_in_any_locale(known, tmp_path):
    """A name outside ASCII causes no traceback in an ASCII locale."""
    picture = tmp_path / "caf\u00e9.jpg"
    picture.write_bytes((IMAGES / "alley.jpg").read_bytes())
    call = [sys.executable, "-c", "from screener.cli.app import main; main()"]
    call += ["scan", str(picture), "--list", str(known)]

    done = subprocess.run(
        call, capture_output=True, timeout=60, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["input"] == str(picture)


@pytest.mark.parametrize("lines", ["", "\n", "# a comment\n"])
def test_match_without_a_hash_exits_with_3(known, lines):
    """The `hash` before it in a pipe may have failed."""
    done = screener("match", "--list", known, input=lines)

    assert (done.returncode, done.stdout) == (3, "")
    assert "nothing to screen was found" in done.stderr


@pytest.mark.parametrize("path", ["-", "", "*.jpg"])
def test_a_scan_without_input_exits_with_3(known, tmp_path, path):
    """The `find` before it may have failed, nothing be mounted, or a pattern be mistyped."""
    given = "-" if path == "-" else tmp_path / "empty" / path
    (tmp_path / "empty").mkdir()

    done = screener("scan", given, "--list", known, input="")

    assert done.returncode == 3
    assert "0 match, 0 no_match" in done.stderr


def test_match_reads_what_hash_prints(known):
    """One result per file, with its name."""
    files = [IMAGES / name for name in ("harbour.jpg", "alley.jpg", "blank.png")]
    hashed = screener("hash", *files)
    assert hashed.returncode == 0

    done = screener("match", "--list", known, input=hashed.stdout)

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [Path(line["input"]).name for line in lines] == [file.name for file in files]
    assert [line["verdict"] for line in lines] == ["match", "no_match", "unscreened"]
    assert lines[2]["reason"] == "too_little_detail"


def test_hashes_of_all_orientations_match_a_mirrored_picture(known):
    """Each orientation has a line, a digest only one. One hash alone finds it as well."""
    picture = IMAGES / "kiosk-mirrored.jpg"
    verdicts = []
    for asked in ([], ["--orientations"]):
        hashed = screener("hash", "--kinds", "pdq,md5", *asked, picture)
        done = screener("match", "--list", known, input=hashed.stdout)
        verdicts.append(json.loads(done.stdout)["verdict"])

    eight = {hash.text for hash in pdq.compute_orientations(np.asarray(Image.open(picture)))}
    kinds = [line.split()[0] for line in hashed.stdout.splitlines()]
    assert verdicts == ["match", "match"]
    assert sorted(kinds) == ["md5", *["pdq"] * len(eight)]


def test_hashes_for_match_find_a_small_copy_as_a_scan_does(scene, tmp_path):
    """Half of a grainy picture, which is known at twice its size only: `--orientations` has lines
    of that, by which it matches. Without the option, as for a list, there are none.
    """
    flat = (np.asarray(scene(2, (320, 180)), np.float32) - 128) * 0.35 + 128
    grain = np.sign(np.random.default_rng(1).normal(size=(180, 320, 1))) * 60
    picture = Image.fromarray(np.clip(flat + grain, 0, 255).astype(np.uint8))
    known, small = tmp_path / "known.txt", tmp_path / "small.png"
    known.write_text(f"pdq {pdq.compute(np.asarray(picture)).text}\n")
    picture.resize((160, 90), Image.Resampling.BICUBIC).save(small)

    call = ("hash", "--kinds", "pdq", small)
    lines = [screener(*call).stdout, screener(*call, "--orientations").stdout]
    matched = [screener("match", "--list", known, input=line) for line in lines]
    (scanned,) = screener("scan", small, "--list", known).stdout.splitlines()

    assert json.loads(scanned)["verdict"] == "match"
    assert [json.loads(done.stdout)["verdict"] for done in matched] == ["no_match", "match"]
    assert [len(line.splitlines()) for line in lines] == [1, 16]


def test_a_picture_that_shows_too_little_is_not_cleared_by_its_hash_line(known, tmp_path):
    """Half black and half white, of quality 70: unscreened by `match` as by `scan`, and matched if
    it is listed. With --digests-only it is the same what it shows.
    """
    half = tmp_path / "half.png"
    drawn = Image.new("L", (400, 300), 255)
    drawn.paste(0, (200, 0, 400, 300))
    drawn.save(half)
    made = CliRunner().invoke(cli, ["hash", "--kinds", "pdq,md5", str(half)])
    pdq = made.stdout.split("\npdq ")[1].split()[0]
    listed = tmp_path / "listed.csv"
    listed.write_text(f"id,pdq\na,{pdq}\n")

    def verdict(*arguments):
        done = CliRunner().invoke(cli, ["match", *map(str, arguments)], input=made.stdout)
        line = json.loads(done.stdout.splitlines()[0])
        return line["verdict"], line["reason"]

    assert made.stdout.splitlines()[-1] == f"unscreened too_little_detail - {half}"
    assert verdict("--list", known) == ("unscreened", "too_little_detail")
    assert verdict("--list", known, "--digests-only") == ("no_match", None)
    assert verdict("--list", listed)[0] == "match"
    whole = CliRunner().invoke(cli, ["hash", str(IMAGES / "alley.jpg"), str(IMAGES / "text.jpg")])
    assert "too_little" not in whole.stdout


@pytest.mark.parametrize("low", [None, 0, 5])
@pytest.mark.parametrize("asked", [[], ["--orientations"]])
def test_a_picture_near_the_floor_is_told_by_all_of_its_orientations(monkeypatch, asked, low):
    """As by a scan: it is not cleared where one of them is not compared, nor if none is printed but
    the upright one.
    """
    enough, some = bytes([50] * 8), bytes(49 if k == low else 50 for k in range(8))
    turned = OrientedHashes("pdq", bytes(range(256)), enough, some, doubts=bytes(8), leasts=some)
    shown = structs.replace(turned, region="trimmed", details=enough, leasts=enough)
    within = structs.replace(shown, kind="dhash", values=bytes(64))
    hashed = HashedInput(Name("a"), Hashes([turned, within]))
    monkeypatch.setattr(hash, "hash_item", lambda *_, **__: hashed)

    told = CliRunner().invoke(cli, ["hash", "a", *asked]).stdout.splitlines()

    assert len([line for line in told if "hash " in line or "pdq " in line]) == (16 if asked else 2)
    assert ("unscreened too_little_detail - a" in told) == (low is not None)
    both = dataclasses.replace(hashed, hashes=Hashes([turned, shown]))
    monkeypatch.setattr(hash, "hash_item", lambda *_, **__: both)
    assert "too_little" not in CliRunner().invoke(cli, ["hash", "a", *asked]).stdout


@pytest.mark.parametrize(("seen", "told"), [(1, True), (9, True), (10, False)])
def test_a_video_of_which_few_frames_show_enough_is_told(monkeypatch, seen, told):
    """Fewer than one in ten, as a scan asks for: of the others nobody knows."""
    enough, none = bytes([50] * 8), bytes(8)
    frames = [
        OrientedHashes("pdq", bytes(256), enough, some, none, some, time=float(time))
        for time, some in enumerate([enough] * seen + [none] * (100 - seen))
    ]
    media = MediaFacts("video/mp4", 4, 3, 100, 100.0, 100)
    hashed = HashedInput(Name("a"), Hashes(frames), media)
    monkeypatch.setattr(hash, "hash_item", lambda *_, **__: hashed)

    lines = CliRunner().invoke(cli, ["hash", "a"]).stdout.splitlines()

    assert lines.count("unscreened too_little_detail - a") == told


def test_a_bad_hash_line_is_unscreened(known):
    """Lines without a name are named by their number; later lines are matched."""
    good = "pdq " + "0123456789abcdef" * 4
    done = screener("match", "--list", known, input=f"{good}\n\n# comment\npdq 12\n{good}\n")

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 3
    assert [line["input"] for line in lines] == ["stdin:1", "stdin:4", "stdin:5"]
    assert [line["reason"] for line in lines] == [None, "undecodable", None]


def test_match_answers_a_pipe_before_it_closes(known):
    """A program that writes a line and waits gets its answer."""
    call = [sys.executable, "-c", "from screener.cli.app import main; main()"]
    call += ["match", "--list", str(known)]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(call, stdin=pipe, stdout=pipe, stderr=nowhere) as process:
        process.stdin.write(b"pdq " + b"0f" * 32 + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["input"] == "stdin:1"

    assert process.returncode == 0


def test_hash_reports_a_file_that_it_could_not_hash():
    """Its digests are printed, the trouble is named, the exit code is 3."""
    done = screener("hash", IMAGES / "text.jpg", IMAGES / "alley.jpg")

    kinds = [line.split()[0] for line in done.stdout.splitlines()]
    assert done.returncode == 3
    digests = ["md5", "sha1", "sha256"]
    assert kinds == [*digests, "unscreened", *digests, "pdq"]
    assert "text.jpg: unsupported" in done.stderr


def test_unhashed_files_stay_unscreened_in_match(known):
    """Half a picture and a missing one are not cleared."""
    hashed = screener("hash", IMAGES / "truncated.jpg", IMAGES / "missing.jpg")

    done = screener("match", "--list", known, input=hashed.stdout)

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 3
    assert [line["reason"] for line in lines] == ["truncated", "unreadable"]


def test_hash_computes_only_the_given_kinds():
    """`--kinds` selects them."""
    done = screener("hash", IMAGES / "alley.jpg", "--kinds", "sha1")

    (line,) = done.stdout.splitlines()
    assert line.startswith("sha1 ")


def test_info_counts_records_and_values(known):
    """Records by state, values by kind, and which kinds can match records."""
    told = json.loads(screener("info", known, "--json").stdout)

    assert told["states"] == {
        "confirmed": 5, "disputed": 1, "seed": 1, "withdrawn": 1
    }  # fmt: skip
    assert told["values"]["md5"] == 1
    assert told["by_none"] == 0
    shown = screener("info", known)
    assert shown.returncode == 0
    assert "generation 1" in shown.stdout


def test_compact_leaves_a_compact_list_alone(known):
    """A folder that is not a list is refused."""
    done = screener("compact", known)

    assert (done.returncode, done.stdout) == (0, "")
    assert "in one file already" in done.stderr
    assert json.loads(screener("info", known, "--json").stdout)["generation"] == 1
    assert screener("compact", known / "segments").returncode == 2


def test_help_has_examples_formats_and_exit_codes():
    """For the commands that need them most."""
    for command in ("import", "scan", "match", "hash", "info"):
        done = screener(command, "--help")
        assert done.returncode == 0
        assert len(done.stdout.splitlines()) > 6
    told = screener("scan", "--help").stdout
    assert "130  interrupted" in told
    assert "141  the output pipe was closed" in told
    assert "screener import known.csv" in screener("--help").stdout


def test_an_interrupt_exits_with_130_and_complete_lines(known, tmp_path):
    """Within two seconds, and no process is left."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(2000):
        (folder / f"{number:04}.jpg").write_bytes((IMAGES / "alley.jpg").read_bytes())
    out = tmp_path / "results.jsonl"
    call = [sys.executable, "-c", "from screener.cli.app import main; main()"]
    call += ["scan", str(folder), "--list", str(known), "-o", str(out), "--jobs", "2"]

    assert soonest(lambda: interrupted(call, out), within=2) < 2


def interrupted(call, out):
    """Interrupt a scan when it has written something; how long it goes on."""
    out.unlink(missing_ok=True)
    with subprocess.Popen(
        call,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A shell that runs the tests in the background ignores it, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        while not (out.exists() and out.stat().st_size):
            time.sleep(0.05)
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        begin = time.monotonic()
        told = process.stderr.read()
        took = time.monotonic() - begin

    assert process.returncode == 130
    assert b"Traceback" not in told
    lines = out.read_text(encoding="utf-8").splitlines()
    assert 0 < len(lines) < 2000
    assert all(json.loads(line)["schema"] == 1 for line in lines)
    return took


@pytest.mark.parametrize("ignored", [False, True])
def test_an_interrupt_while_the_library_is_loaded_ends_with_130(tmp_path, ignored):
    """No traceback, whatever is in the midst of being loaded; where a shell had it ignored, in the
    background, it stays ignored.
    """
    slow = tmp_path / "screener"
    slow.mkdir()
    (slow / "cli").mkdir()
    shutil.copy(launch.__file__, slow / "cli")
    (slow / "__init__.py").write_text("Screener = None\n")
    loading = "import time; print('loading', flush=True); time.sleep(2)"
    (slow / "cli" / "app.py").write_text(f"{loading}\ndef main(): raise SystemExit(7)\n")
    call = [sys.executable, "-c", "from screener.cli.launch import main; main()"]
    with subprocess.Popen(
        call,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_IGN if ignored else signal.SIG_DFL
        ),
    ) as process:
        assert process.stdout.readline() == b"loading\n"
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()

    assert (process.returncode, told) == ((7, b"") if ignored else (130, b"interrupted\n"))


@pytest.mark.parametrize("call", [["-c", "from screener.cli.launch import main; main()"],
                                  ["-m", "screener"]])  # fmt: skip
@pytest.mark.parametrize(
    ("trouble", "told"),
    [("a kernel", "mmx"), ("a library", "libgcc_s.so.1"), ("the core", "pip install .")],
)
def test_a_command_that_cannot_be_loaded_says_so_and_is_no_match(
    known, tmp_path, trouble, told, call
):
    """Where the machine has no such kernel, or lacks what the core or a dependency was linked to,
    and where the core was built for another Python, or not at all, as in a checkout: a sentence,
    and not Python's 1.
    """
    path = filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    if trouble == "a kernel":
        environment["SCREENER_KERNEL"] = "mmx"
    elif trouble == "the core":
        built = shutil.ignore_patterns("_core.*.so", "__pycache__")
        shutil.copytree(Path(launch.__file__).parents[1], tmp_path / "screener", ignore=built)
    else:
        (tmp_path / "numpy.py").write_text("raise ImportError('libgcc_s.so.1: no such file')\n")
    call = [sys.executable, *call, "scan", IMAGES / "alley.jpg", "--list", known]

    done = subprocess.run(call, capture_output=True, text=True, timeout=60, env=environment)

    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("screener: cannot be loaded: ImportError: ")
    assert told in line


@pytest.mark.parametrize("to", [">&-", pytest.param(">/dev/full", marks=FULL)])
def test_a_command_that_cannot_be_loaded_never_exits_with_1(to):
    """Its message never lands in a file of results."""
    call = f"{sys.executable} -c 'from screener.cli.launch import main; main()' --version 2{to}"
    environment = {**os.environ, "SCREENER_KERNEL": "mmx"}

    done = subprocess.run(call, shell=True, stdout=-1, timeout=60, env=environment)

    assert (done.returncode, done.stdout) == (2, b"")


def test_a_closed_output_pipe_exits_with_141(known):
    """`scan | head` ends without a traceback."""
    call = [sys.executable, "-c", "from screener.cli.app import main; main()"]
    call += ["scan", str(IMAGES), "--list", str(known)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        told = process.stderr.read()

    assert process.returncode == 141
    assert b"Traceback" not in told


@pytest.mark.parametrize(
    "arguments",
    [
        "hash {photo}", "info {known}", "info {known} --json", "verify {known}", "--version",
        "report create --to {key} --address https://example.org/1 -o {report}",
    ],
)  # fmt: skip
def test_what_was_to_be_told_is_not_lost_in_a_closed_output(known, tmp_path, arguments):
    """Least of all a reporter's secret, without which the report cannot be followed nor withdrawn;
    and no fault of screener is told.
    """
    if "{key}" in arguments:
        assert screener("hotline", "create", tmp_path / "hotline").returncode == 0
    places = {"key": tmp_path / "hotline/hotline.pub", "report": tmp_path / "report.sealed"}
    call = arguments.format(known=known, photo=IMAGES / "alley.jpg", **places)

    done = subprocess.run(
        f"{sys.executable} -c '{CALL[-1]}' {call} >&-", shell=True, capture_output=True, timeout=60
    )

    assert done.returncode == 2, done.stderr
    assert b"screener: standard output: it is closed\n" in done.stderr
    assert b"fault" not in done.stderr
    assert not (tmp_path / "report.sealed").exists()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["scan", "--help"]])
def test_a_closed_output_pipe_of_the_help_exits_with_141(arguments):
    """Click's own exit code is 1."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run([*CALL, *arguments], stdout=writing, stderr=-1, timeout=60)
    finally:
        os.close(writing)

    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("gone", ["the reader", pytest.param("room", marks=FULL)])
@pytest.mark.parametrize("call", ["scan", "match", "wrong", "no policy"])
def test_standard_error_that_takes_nothing_is_no_match(known, tmp_path, call, gone):
    """Whoever read what people are told has gone, or its disk is full: an exit code of 1 would
    accuse a picture that matches nothing.
    """
    arguments = {
        "scan": ["scan", str(IMAGES / "alley.jpg"), "-o", str(tmp_path / "out.jsonl")],
        "match": ["match", "-o", str(tmp_path / "out.jsonl")],
        "wrong": ["scan", str(IMAGES), "--no-such-option"],
        "no policy": ["scan", str(IMAGES), "--policy", str(IMAGES / "alley.jpg")],
    }[call]
    if gone == "the reader":
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open("/dev/full", os.O_WRONLY)
    try:
        done = subprocess.run(
            [*CALL, *arguments, "--list", str(known)],
            input=b"pdq " + b"0123456789abcdef" * 4 + b"\n",
            stderr=writing,
            stdout=subprocess.PIPE,
            timeout=60,
        )
    finally:
        os.close(writing)

    assert done.returncode == (141 if gone == "the reader" and call in ("scan", "match") else 2)
    if call == "scan":
        assert json.loads((tmp_path / "out.jsonl").read_text())["verdict"] == "no_match"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_service_that_is_stopped_leaves_no_listed_hash_behind(tmp_path, name):
    """As by Ctrl-C: 130, and the list that was made of a file for the time of the command is gone;
    who ignores a signal, as under nohup, is not ended by it.
    """
    (tmp_path / "known.csv").write_text(f"id,md5\na,{'0a' * 16}\n")
    call = [*CALL, "scan", "-", "--list", str(tmp_path / "known.csv")]
    for ignored in (False, True):
        kept = tmp_path / f"kept-{ignored}"
        kept.mkdir()
        with subprocess.Popen(
            call,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(kept)},
            preexec_fn=lambda ignored=ignored: signal.signal(
                getattr(signal, name), signal.SIG_IGN if ignored else signal.SIG_DFL
            ),
        ) as process:
            while not list(kept.glob("*/*/records.sqlite")):
                time.sleep(0.05)
                assert process.poll() is None
            process.send_signal(getattr(signal, name))
            if ignored:
                time.sleep(0.2)
            process.stdin.close()
            told = process.stderr.read()

        assert process.returncode == (3 if ignored else 130), told
        assert b"Traceback" not in told
        assert not list(kept.iterdir())


def test_a_signal_amid_a_finaliser_is_not_lost():
    """Python only prints an exception that is raised there, and the scan would continue."""
    call = """
        import os, signal, time, weakref
        from screener.cli import app

        @app.cli.command()
        def wait():
            held = set()
            stop = weakref.ref(held, lambda _: os.kill(os.getpid(), signal.SIGTERM))
            del held
            time.sleep(60)

        app.main()
    """
    call = [sys.executable, "-c", textwrap.dedent(call), "wait"]
    ended = subprocess.run(call, capture_output=True, text=True, timeout=50)

    assert (ended.returncode, ended.stderr.split()) == (130, ["interrupted"])


@pytest.mark.parametrize(
    ("amid", "behind", "code"), [(True, "_describe_bug", 130), (False, "_flush_output", 130),
                                 (False, "process.ignore_stop_signals", 0)]
)  # fmt: skip
def test_a_stop_breaks_nothing_off(amid, behind, code):
    """Neither one that comes twice, as of who presses Ctrl-C twice or of `timeout`, nor one that
    comes behind the command: what is open is closed, and no traceback is told.
    """
    call = f"""
        import os, signal
        from screener.cli import app

        def stop():
            os.kill(os.getpid(), signal.SIGTERM)

        @app.cli.command()
        def command():
            try:
                {amid} and stop()
            finally:
                {amid} and stop()
                print("closed")

        real = app.{behind}
        app.{behind} = lambda *given: (real(*given), stop())[0]
        app.main()
    """
    call = [sys.executable, "-c", textwrap.dedent(call), "command"]
    ended = subprocess.run(call, capture_output=True, text=True, timeout=50)

    assert (ended.returncode, ended.stdout) == (code, "closed\n")
    assert ended.stderr.strip() in ("", "interrupted")


def test_policy_files_and_digests_only_change_the_verdict(known, tmp_path):
    """With radius 0 the half-size copy does not match; with digests only it is cleared."""
    policy = tmp_path / "policy.toml"
    policy.write_text('effort = "distance"\n[radius]\npdq = 0\n')
    half = IMAGES / "meadow-half.jpg"

    assert screener("scan", half, "--list", known, "--policy", policy).returncode == 0
    assert screener("scan", half, "--list", known).returncode == 1
    digests = screener("scan", half, IMAGES / "blank.png", "--list", known, "--digests-only")
    assert digests.returncode == 0


@pytest.mark.parametrize(("name", "runs"), [("__main__", 1), ("__mp_main__", 0)])
def test_the_command_can_be_run_as_a_module(monkeypatch, name, runs):
    """`python -m screener` is `screener`; the worker processes of its scans, which load it too
    under another name, do not run it once more.
    """
    calls = []
    monkeypatch.setattr("screener.cli.launch.main", lambda: calls.append(1))
    runpy.run_module("screener.__main__", run_name=name)

    assert len(calls) == runs
