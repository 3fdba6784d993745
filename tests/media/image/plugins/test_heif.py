"""HEIC and HEIF: decoded if the extra is installed, named if not."""

from __future__ import annotations

import csv
import ctypes
import io
import json
import os
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import jsonschema
import numpy as np
import pillow_heif
import pytest
from command_process import screener
from frames_of_file import frames_and_reason
from heic_files import heic
from paths import REPOSITORY
from picture_bytes import saved
from PIL import Image

from screener import Screener
from screener.errors import MediaError
from screener.hashing import pdq
from screener.media.image import errors, pillow
from screener.media.image.open_image import open as open_picture
from screener.media.image.plugins import heif
from screener.reporting.pages.result_summary import Summary


@pytest.fixture(scope="module")
def still(scene):
    """Return a HEIC file of one picture."""
    return heic(scene(50))


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
@pytest.mark.parametrize("size", [(320, 240), (65, 47)])
def test_a_drawn_picture_comes_back(scene, mode, size):
    """Grey stays grey, alpha is composited on white, and odd sizes lose nothing."""
    drawn = scene(50, size).convert(mode)
    if mode == "RGBA":
        drawn.putalpha(Image.linear_gradient("L").resize(size))
    data = heic(drawn)
    assert open_picture(data).media.type == "image/heic"
    ((frame,), reason) = frames_and_reason(data)
    white = Image.new("RGBA", size, (255, 255, 255, 255))
    wanted = drawn if mode != "RGBA" else Image.alpha_composite(white, drawn).convert("RGB")
    assert reason is None
    assert frame.pixels.shape == np.asarray(wanted).shape
    assert np.abs(frame.pixels - np.asarray(wanted, int)).mean() < 6


def test_pixels_are_those_of_the_plugin(material):
    """The direct route returns what Pillow does through the plugin, for every file that decodes."""
    compared = 0
    for path in sorted((material / "robustness" / "pillow-heif").iterdir()):
        data = path.read_bytes()
        try:
            image = pillow_heif.HeifImageFile(io.BytesIO(data), "")
        except SyntaxError:
            assert frames_and_reason(data)[0] == []
            continue
        frames, reason = frames_and_reason(data)
        assert reason is None
        for frame in frames:
            image.seek(frame.part)
            if image.mode in ("L", "RGB"):
                compared += 1
                assert np.array_equal(frame.pixels, np.asarray(image)), path.name
    assert compared >= 8


def test_every_picture_is_given(scene):
    """They come from the first on, wherever the primary one stands, as the parts 0, 1, 2."""
    pictures = [scene(n, (160, 120)) for n in (50, 51, 52)]
    frames, reason = frames_and_reason(heic(*pictures, primary_index=2))
    assert reason is None
    assert [frame.part for frame in frames] == [0, 1, 2]
    for frame, picture in zip(frames, pictures, strict=True):
        wanted = pdq.compute(np.asarray(picture))
        assert pdq.compute(frame.pixels).distance(wanted) <= 12


def test_a_turned_picture_is_upright(scene):
    """libheif turns it as the boxes say. EXIF beside them, which viewers ignore, is not applied."""
    exif = Image.Exif()
    exif[0x0112] = 6
    both = io.BytesIO()
    pillow_heif.from_pillow(scene(50)).save(both, quality=90, exif=exif.tobytes())
    assert b"irot" in both.getvalue()
    ((frame,), _) = frames_and_reason(both.getvalue())
    assert frame.pixels.shape == (320, 240, 3)
    turned = np.asarray(scene(50).transpose(Image.Transpose.ROTATE_270), int)
    assert np.abs(frame.pixels - turned).mean() < 6


def test_limits_come_before_pixels(still, monkeypatch):
    """A declared size over the limit is `too_large`, before libheif decodes anything."""
    data = still
    assert frames_and_reason(data, pixels=320 * 240)[1] is None
    monkeypatch.setattr(pillow, "decode_directly", None)
    assert frames_and_reason(data, pixels=320 * 240 - 1) == ([], "too_large")


def test_each_picture_is_held_to_the_limit(scene):
    """Also the first one, if a smaller one behind it is the primary picture."""
    data = heic(scene(50), scene(51, (160, 120)), primary_index=1)
    assert frames_and_reason(data, pixels=320 * 240)[1] is None
    assert frames_and_reason(data, pixels=160 * 120) == ([], "too_large")


def test_a_cut_or_damaged_file_has_a_reason(still):
    """Any cut or change raises nothing but MediaError."""
    data = still
    for length in range(12, len(data), len(data) // 20):
        frames, reason = frames_and_reason(data[:length])
        assert reason in ("truncated", "undecodable", "unsupported"), length
        assert frames == []
    random = np.random.default_rng(1)
    for _ in range(30):
        damaged = bytearray(data)
        for at in random.integers(0, len(data), 4):
            damaged[at] = random.integers(0, 256)
        frames, reason = frames_and_reason(bytes(damaged), pixels=1_000_000)
        assert frames or reason


def test_pictures_that_are_coded_otherwise_are_not_broken(still):
    """A sound file that libheif has no decoder for is `unsupported`."""
    assert frames_and_reason(still.replace(b"hvc1", b"unci")) == ([], "unsupported")


def test_without_the_extra_it_is_named(monkeypatch, still, make_list):
    """It is `unsupported`; the detail and the result line say what to install."""
    monkeypatch.delitem(sys.modules, "screener.media.image.plugins.heif", raising=False)
    monkeypatch.setattr("screener.media.image.plugins.heif", None, raising=False)
    monkeypatch.delattr("screener.media.image.plugins.heif")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MediaError, match=r"unsupported.*the extra `heif`"):
        open_picture(still)

    result = Screener(make_list([{"id": "a", "pdq": "0f" * 32}])).screen(still)
    assert (result.reason, result.extra) == ("unsupported", "heif")
    line = json.loads(result.to_json())
    assert line == result.to_dict()
    assert line["extra"] == "heif"
    schema = json.loads((REPOSITORY / "docs" / "result.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(line, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(line | {"reason": "truncated"}, schema)


def test_what_wanted_the_extra_is_screened_again_once_it_is_here(
    monkeypatch, still, make_list, scene, tmp_path
):
    """Resuming and the cache skip it only while the extra is missing.

    The new line replaces the old one in the summary, the exit code and the report, for a member of
    an archive too.
    """
    known = make_list([{"id": "a", "pdq": pdq.compute(np.asarray(scene(50))).text}])
    uploads, results, cache = tmp_path / "up", tmp_path / "r.jsonl", tmp_path / "c"
    uploads.mkdir()
    (uploads / "a.heic").write_bytes(still)
    with zipfile.ZipFile(uploads / "b.zip", "w") as archive:
        archive.writestr("in.heic", still)
        archive.writestr("in.txt", b"words")
    with (uploads / "b.zip").open("ab") as behind:
        behind.write(b"more")
    (tmp_path / "without" / "pillow_heif").mkdir(parents=True)
    (tmp_path / "without" / "pillow_heif" / "__init__.py").write_text("raise ImportError")
    call = ("scan", uploads, "--list", known.path, "--resume", results, "--cache", cache)
    again = ("rescan", "--list", known.path, "--cache", cache)
    path = os.environ.get("PYTHONPATH", "")
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{tmp_path / 'without'}{os.pathsep}{path}")
        for _ in range(2):
            done = screener(*call)
            assert (done.returncode, results.read_text().count("\n")) == (3, 4), done.stderr
            assert "2 inputs not screened because an extra is missing" in done.stderr
        assert "hashed with other settings" not in screener(*again).stderr
    before = screener(*again)
    assert before.returncode == 3
    assert "2 inputs hashed with other settings" in before.stderr

    for _ in range(2):
        done = screener(*call)

        assert done.returncode == 1, done.stderr
        assert "4 screened: 2 match, 0 no_match, 2 unscreened (" in done.stderr
        assert "because an extra is missing" not in done.stderr
        assert results.read_text().count("\n") == 6
    found = Summary.read(results)
    assert (found.total, found.verdicts["match"], found.extras) == (4, 2, {})
    after = screener(*again)
    assert (after.returncode, after.stdout.count("\n")) == (1, 2)
    assert "hashed with other settings" not in after.stderr


def test_pillow_is_as_it_was(still):
    """Decoding a HEIC registers nothing, and `import screener` does not load libheif."""
    code = (
        "import sys, screener\n"
        "assert 'pillow_heif' not in sys.modules\n"
        "from PIL import Image\n"
        "from screener.media.image.open_image import open\n"
        "before = set(Image.OPEN), set(Image.MIME), set(Image.EXTENSION)\n"
        "list(open(sys.stdin.buffer.read()).frames())\n"
        "Image.init()\n"
        "assert 'HEIF' not in Image.OPEN and '.heic' not in Image.EXTENSION\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=still, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_what_pillow_was_built_without_is_named(monkeypatch, scene):
    """Without AVIF or WebP in Pillow, the file is `unsupported`, and the detail says why."""
    for format in ("AVIF", "WEBP"):
        data = saved(scene(50), format)
        refusing = (Image.OPEN[format][0], lambda prefix: "built without it")
        monkeypatch.setitem(Image.OPEN, format, refusing)
        monkeypatch.setattr(errors.features, "check", lambda name: False)
        with pytest.raises(MediaError, match=r"unsupported.*built without"):
            open_picture(data)


@pytest.mark.parametrize("format", ["JPEG2000", "TIFF"])
def test_a_decoder_that_pillow_was_built_without_is_no_damage(monkeypatch, scene, format):
    """Pillow reads the headers of such formats all the same."""
    out = io.BytesIO()
    scene(50).save(out, format, **({"compression": "tiff_lzw"} if format == "TIFF" else {}))
    for name in ("jpeg2k_decoder", "libtiff_decoder"):
        monkeypatch.delattr(Image.core, name)
    with pytest.raises(MediaError, match="unsupported"):
        list(open_picture(out.getvalue()).frames())


def test_a_decoder_that_cannot_be_loaded_for_lack_of_memory(monkeypatch, scene):
    """The plugin reports that Pillow was built without it, which would be `unsupported`."""
    data = saved(scene(50), "AVIF")

    def full(name):
        raise ImportError(f"{name}: failed to map segment from shared object")

    refusing = (Image.OPEN["AVIF"][0], lambda prefix: "built without it")
    monkeypatch.setitem(Image.OPEN, "AVIF", refusing)
    monkeypatch.setattr(errors.features, "check", lambda name: False)
    monkeypatch.setattr(errors, "import_module", full)
    with pytest.raises(MediaError, match=r"too_large.*memory"):
        open_picture(data)


def test_the_files_of_the_material_that_are_heif(material):
    """All but the corrupted one have pixels of the recorded size."""
    with (material / "robustness.csv").open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["file"].endswith((".heic", ".heif"))]
    found = {row["file"]: frames_and_reason((material / row["file"]).read_bytes()) for row in rows}
    bad = [name for name, (frames, _) in found.items() if not frames]
    assert [name.rpartition("/")[2] for name in bad] == ["heif_corrupted__empty.heic"]


def test_pixels_stay_where_their_memory_goes_with_the_picture(monkeypatch, still):
    """Before pillow-heif 1.6 the view has no owner, and would show what is written there later."""
    memory = np.arange(48, dtype=np.uint8)
    view = ctypes.pythonapi.PyMemoryView_FromMemory
    view.argtypes = (ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int)
    view.restype = ctypes.py_object
    data = view(memory.ctypes.data, memory.nbytes, 0x100)
    picture = SimpleNamespace(mode="RGB", size=(4, 4), stride=12, data=data)
    monkeypatch.setattr(pillow_heif, "open_heif", lambda *_, **__: [picture])

    pixels = heif.decode(still, 0).white
    memory[:] = 0

    assert pixels.tobytes() == bytes(range(48))
