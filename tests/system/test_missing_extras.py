"""The main job without any extra: the same results for pictures, and what is missing is named."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from command_process import refused, screener
from drawn_videos import clip, panned
from paths import REPOSITORY
from PIL import Image

from screener.hashing import pdq
from screener.hashing.hash import KINDS

IMAGES = REPOSITORY / "fixtures/images"
LIBRARIES = ("scipy", "cv2", "imagehash", "pywt", "av", "pillow_heif")

# Python runs a module of this name at its start, in workers too. It writes the name of each library
# that is looked for to a pipe, as workers may write no file, and may hide the libraries.
SITECUSTOMIZE = f"""
import os
from importlib.machinery import PathFinder
find_spec = PathFinder.find_spec
def find(name, path=None, target=None):
    if name in {LIBRARIES}:
        pipe = os.open(os.environ["LIBRARIES_PIPE"], os.O_WRONLY)
        os.write(pipe, name.encode() + b"\\n")
        os.close(pipe)
        if os.environ["LIBRARIES"] == "missing":
            return None
    return find_spec(name, path, target)
PathFinder.find_spec = find
"""


@pytest.fixture
def libraries(tmp_path, monkeypatch):
    """Return a function that starts to watch which libraries processes look for.

    It has a parameter, "present" or "missing", and returns a function that returns their names.
    """
    folder = tmp_path / "path"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def watch(state):
        # The program that forks commands is another one for each value of variables like these.
        monkeypatch.setenv("PYTHONPATH", str(folder))
        monkeypatch.setenv("LIBRARIES", state)
        monkeypatch.setenv("LIBRARIES_PIPE", str(path))
        monkeypatch.setenv("PYTHONNOUSERSITE", state)
        return read

    def read():
        try:
            return set(os.read(pipe, 1 << 16).decode().split())
        except BlockingIOError:  # it is empty
            return set()

    yield watch
    os.close(pipe)


@pytest.fixture
def known(tmp_path):
    """Return the path of a list of the fixtures."""
    path = tmp_path / "known.list"
    assert screener("import", REPOSITORY / "fixtures/known.csv", "--into", path).returncode == 0
    return path


def scan(paths, known, output):
    """Scan, and return the finished process and its results by input, without times and ages."""
    done = screener("scan", *paths, "--list", known, "-o", output, "--jobs", "1")
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    return done, {line["input"]: line | {"seconds": None, "lists": None} for line in lines}


def slanted_print(scene):
    """Return a picture that lies a little turned on a light table."""
    table = Image.new("RGB", (520, 440), (250, 250, 246))
    table.paste(scene(3, (360, 280)), (80, 80))
    return table.rotate(2.5, Image.Resampling.BICUBIC, fillcolor=(250, 250, 246))


def test_the_main_job_looks_for_no_optional_library(libraries, known, tmp_path):
    """Neither `import screener`, nor a match, nor a scan of JPEG and PNG with its workers does."""
    looked_for = libraries("present")
    shutil.copytree(IMAGES, tmp_path / "in", ignore=shutil.ignore_patterns("*.webp"))
    done, results = scan([tmp_path / "in"], known, tmp_path / "out.jsonl")
    assert (done.returncode, len(results)) == (1, 14), done.stderr
    code = (
        "import sys, screener as s; from screener.hashing.hash import KINDS, Hash\n"
        "known = s.Screener(s.HashList.open(sys.argv[1]))\n"
        "print(known.match([Hash(KINDS['pdq'], bytes(32))]).verdict)"
    )
    subprocess.run([sys.executable, "-c", code, known], check=True, env=os.environ)
    assert looked_for() == set()
    # A worker that does is seen.
    scan([IMAGES / "reported-not-assessed.webp"], known, tmp_path / "webp.jsonl")
    assert looked_for() == {"cv2"}


def test_pictures_have_the_same_results_without_extras(libraries, known, tmp_path, scene):
    """Of all formats that need none, and with slanted insets."""
    picture = tmp_path / "print.png"
    slanted_print(scene).save(picture)
    csv = tmp_path / "print.csv"
    csv.write_text(f"id,pdq\nprint,{pdq.compute(np.asarray(scene(3, (360, 280)))).text}\n")
    assert screener("import", csv, "--into", known, "--source", "print").returncode == 0
    found = {}
    for state in ("present", "missing"):
        libraries(state)
        done, found[state] = scan([IMAGES, picture], known, tmp_path / f"{state}.jsonl")
        assert done.returncode == 1, done.stderr
    assert found["missing"] == found["present"]
    assert "print" in json.dumps(found["missing"][str(picture)]["matches"])


def test_a_video_without_a_decoder_is_unscreened_and_the_extra_is_named(
    libraries, known, tmp_path, scene
):
    """By the result and by the summary; a picture with a clip inside likewise."""
    video, motion = tmp_path / "clip.mp4", tmp_path / "motion.jpg"
    video.write_bytes(clip(panned(scene, 1, 5)))
    motion.write_bytes((IMAGES / "bridge.jpg").read_bytes() + video.read_bytes())
    libraries("missing")
    done, results = scan([video, motion], known, tmp_path / "out.jsonl")
    assert done.returncode == 3
    for path in (video, motion):
        result = results[str(path)]
        assert (result["verdict"], result["reason"]) == ("unscreened", "unsupported")
        assert result["extra"] == "video"
    assert "2 inputs not screened because an extra is missing" in done.stderr
    assert "[video]'" in done.stderr


def test_hashes_that_need_an_extra_are_refused_before_a_file_is_opened(libraries, tmp_path):
    """A list that holds them is not scanned as if it did not; ready hashes are matched."""
    known, csv = tmp_path / "classic.list", tmp_path / "classic.csv"
    csv.write_text("id,phash,md5\na,0123456789abcdef,00112233445566778899aabbccddeeff\n")
    assert screener("import", csv, "--into", known).returncode == 0
    libraries("missing")
    message = "computing phash needs the extra `hashes`"
    for call in (["scan", IMAGES, "--list", known], ["hash", IMAGES, "--kinds", "pdq,phash"]):
        error = refused(*call)
        assert message in error
        assert "[hashes]'" in error
    code = (
        "import sys, screener as s; from screener.hashing.hash import KINDS, Hash\n"
        "from screener.errors import HashError\n"
        "known = s.Screener(s.HashList.open(sys.argv[1]))\n"
        "print(known.match([Hash.parse('phash', '0123456789abcdef')]).verdict)\n"
        "from screener.hotline.reports.own_media import hash_files\n"
        "file = sys.argv[2]\n"
        "for call, item in ((known.screen, file), (s.Pool, known), (hash_files, [file])):\n"
        "    try: call(item)\n"
        "    except HashError as error: print(error)\n"
    )
    call = [sys.executable, "-c", code, known, IMAGES / "alley.jpg"]
    lines = subprocess.run(call, check=True, capture_output=True, text=True).stdout.splitlines()
    assert lines[0] == "match"
    assert [message in line for line in lines[1:]] == [True, True, False]
    assert "whash256 needs the extra `hashes`" in lines[3]


def test_a_calibration_needs_no_extra(libraries, known):
    """Its bounds are computed here."""
    libraries("missing")
    done = screener("calibrate", known, "--benign", IMAGES / "market.jpg", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    assert "per million" in done.stdout


def test_every_classic_kind_is_named(libraries):
    """In the message of a kind that cannot be computed."""
    libraries("missing")
    kinds = [kind for kind in KINDS.values() if kind.computed and kind.bits in (64, 256)]
    names = [kind.name for kind in kinds if kind.name not in ("pdq", "sha256")]
    assert f"computing {', '.join(names)} needs" in refused(
        "hash", IMAGES, "--kinds", ",".join(names)
    )
