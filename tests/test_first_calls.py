"""The first calls of threads that share a Screener, a list or a log, in a fresh interpreter."""

import csv
import json
import subprocess
import sys
import threading

import first_calls
import numpy as np
import PIL
import pytest
from drawn_videos import clip, panned
from heic_files import heic
from paths import PROGRAMS
from picture_bytes import png, saved
from PIL import Image

from screener import HashList, Screener, audit, output
from screener.hashing import classic, digest, pdq
from screener.media.image import pillow
from screener.screening.input import vpdq

CALLS = [
    "screen", "screen_many", "screen pixels", "screen pictures", "screen every kind",
    "screen video", first_calls.BY_OPENCV, "match", "match_many", "HashList.open",
    "HashList.search", "HashList.lookup", "HashList.holders", "HashList.info",
    "HammingIndex.search", "hash_item", "pdq", "pdq.compute_batch", "classic", "digest", "refresh",
    "warm", "HashCache", "output and audit", "report", "scan", "to_thread", "Pool",
]  # fmt: skip
FOLLOWING = 2  # calls that an interpreter makes behind its first: so each is made in three
SLOW = ("scan", "Pool", first_calls.BY_OPENCV)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, scene):
    """Return a folder of files to screen and two lists that hold them.

    The files: one picture in many formats, and a video. `known` holds two kinds, `every` all.
    """
    made, picture = tmp_path_factory.mktemp("first"), scene(1, (320, 240))
    for name in first_calls.PICTURES:
        format = {"jpg": "JPEG", "tif": "TIFF"}.get(name, name)
        data = heic(picture) if name == "heic" else saved(picture, format)
        (made / name).write_bytes(data)
    (made / "mp4").write_bytes(clip(panned(scene, 1, 20)))
    pixels = np.asarray(picture)
    (made / "pixels").write_bytes(pixels.tobytes())
    values = {
        "pdq": pdq.compute(pixels).text,
        "md5": digest.compute((made / "png").read_bytes())[0].text,
    }
    (made / "values").write_text(json.dumps(values))
    others = {kind.name: classic.compute(pixels, kind).text for kind in classic.CLASSIC}
    film, _ = vpdq.compute(made / "mp4", every=0)
    for name, more in (("known", {}), ("every", others | {"vpdq": film.text})):
        with (made / "rows.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows(
                [["id", *values, *more], ["one", *values.values(), *more.values()]]
            )
        HashList.create(made / f"{name}.list").import_file(made / "rows.csv", source="test")
    engine = Screener(HashList.open(made / "known.list"))
    with output.open_jsonl(made / "old.jsonl") as lines:
        lines.write(engine.screen(made / "png"))
    return made


@pytest.mark.parametrize("first", CALLS)
def test_first_calls_of_eight_threads_return_what_one_thread_gets(folder, tmp_path, first):
    """Each call is the first of a fresh interpreter, and follows others in further ones."""
    at = CALLS.index(first)
    following = [one for one in (CALLS * 2)[at + 1 : at + 1 + FOLLOWING] if one not in SLOW]

    done = subprocess.run(
        [sys.executable, PROGRAMS / "first_calls.py", folder, tmp_path, first, *following],
        capture_output=True, timeout=300, check=False, text=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert {call: others for call, (_, others) in answers.items() if others} == {}
    for call, (alone, _) in answers.items():
        assert "Error" not in str(alone), call
        if call.startswith(("screen", "match", "scan", "to_thread", "Pool")):
            told = alone[0] if isinstance(alone, list) else alone
            assert told["verdict"] == "match", call
    written = (first_calls.THREADS + 1) * ("output and audit" in answers)
    log = audit.verify(tmp_path / "log")
    assert (log.trouble, log.decisions) == ((), written)
    assert len((tmp_path / "lines").read_text().splitlines()) == written


def test_a_pillow_plugin_that_another_thread_imports_is_awaited(monkeypatch, tmp_path):
    """Pillow lists a plugin before its import has ended and its decoders exist."""
    plugin = """
from PIL import Image, PngImagePlugin
Image.register_open("SLOW", lambda *given: whole(*given), lambda head: head[:4] == b"SLOW")
Image.while_it_loads()
def whole(file, name):
    file.seek(4)
    return PngImagePlugin.PngImageFile(file)
"""
    (tmp_path / "SlowPlugin.py").write_text(plugin)
    monkeypatch.setattr(PIL, "__path__", [*PIL.__path__, str(tmp_path)])
    monkeypatch.setattr(Image, "_plugins", ["SlowPlugin"])
    monkeypatch.setattr(Image, "_initialized", 1)
    monkeypatch.setattr(Image, "ID", [*Image.ID])
    monkeypatch.setattr(Image, "OPEN", {**Image.OPEN})
    data = b"SLOW" + png(Image.new("L", (8, 9)))
    sizes = []

    def load():
        sizes.append(pillow.open_image(data).size)

    other = threading.Thread(target=load)

    def while_it_loads():
        other.start()
        other.join(1)  # longer than it takes if it does not wait

    monkeypatch.setattr(Image, "while_it_loads", while_it_loads, raising=False)
    try:
        load()
        other.join()
    finally:
        sys.modules.pop("PIL.SlowPlugin", None)
        vars(PIL).pop("SlowPlugin", None)

    assert sizes == [(8, 9)] * 2
