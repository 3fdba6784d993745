"""What is shipped: the library and its types in the wheel, all that builds it in the sdist."""

import importlib
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from paths import REPOSITORY

import screener
from screener.system import installation


def test_the_tests_run_against_the_installed_wheel():
    """Not against the sources beside them."""
    assert not Path(screener.__file__).is_relative_to(REPOSITORY / "src")


def test_the_wheel_has_the_library_its_core_and_its_types():
    """The library and what starts its command, one extension module, its stub, the markers for type
    checkers, the style of the report, what the hotline's modules read, the licence; nothing else.
    """
    files = importlib.metadata.files("media-screener")
    names = {str(file) for file in files if "__pycache__" not in str(file)}
    package = {name for name in names if name.startswith("screener/")}

    sources = {str(p.relative_to(REPOSITORY / "src")) for p in (REPOSITORY / "src").rglob("*.py")}
    others = package - sources
    assert package >= sources
    besides = {"screener/_core.pyi", "screener/reporting/pages/report.css"}
    besides |= {"screener/py.typed"}
    read = {".po", ".toml", ".css", ".txt"}
    hotline = [p for p in (REPOSITORY / "src/screener/hotline").rglob("*") if p.suffix in read]
    assert {p.name for p in hotline} >= {"screener.po", "REVIEWED.toml", "helplines.toml"}
    besides |= {str(p.relative_to(REPOSITORY / "src")) for p in hotline}
    assert besides <= others
    (core,) = others - besides
    assert core.startswith("screener/_core.")
    assert any(name.endswith("licenses/LICENSE") for name in names)
    outside = {name.split("/")[0] for name in names - package}
    assert {part for part in outside if not part.endswith(".dist-info")} <= {".."}


def test_the_command_is_installed():
    """The distribution media-screener brings the command `screener`."""
    distribution = importlib.metadata.distribution("media-screener")
    (command,) = distribution.entry_points.select(group="console_scripts")

    assert (command.name, command.value) == ("screener", "screener.cli.launch:main")
    assert distribution.version == screener.__version__


def test_the_sdist_has_what_builds_and_tests_it(tmp_path):
    """Sources of both languages, tests, fixtures and documents; no build output."""
    if importlib.util.find_spec("build") is None:
        pytest.fail("the test extra installs build")
    call = [sys.executable, "-m", "build", "--sdist", "--outdir", str(tmp_path), str(REPOSITORY)]
    subprocess.run(call, check=True, capture_output=True)

    (archive,) = tmp_path.iterdir()
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    wanted = {
        "src/core/bindings/module.cpp", "src/core/index/scan_neon.cpp", "src/screener/cli/app.py",
        "CMakeLists.txt", "pyproject.toml", "LICENSE", "README.md", "fixtures/known.csv",
        "tests/screening/test_screener.py", "fixtures/images/harbour.jpg",
        "docs/result.schema.json", "scripts/test",
    }  # fmt: skip
    assert wanted <= names
    unwanted = [n for n in names if n.startswith((".venv", "build/", "dist/")) or n.endswith(".so")]
    assert unwanted == []


@pytest.mark.parametrize("version", ["2.59.1", "1.13.0"])
def test_a_ray_that_is_too_old_is_refused(monkeypatch, version):
    """It asks nobody for a token, and lets whoever reaches its ports run programs."""
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(__version__=version))
    monkeypatch.delitem(sys.modules, "screener.scanning.ray", raising=False)

    with pytest.raises(ImportError, match=rf"2\.60 or newer, not {version}: pip install"):
        importlib.import_module("screener.scanning.ray")


def test_a_folder_called_ray_is_not_ray(monkeypatch):
    """A folder like those that Ray leaves in /tmp does not count as the extra, whose name is
    reported.
    """
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    monkeypatch.delitem(sys.modules, "screener.scanning.ray", raising=False)

    with pytest.raises(ModuleNotFoundError, match=r"screener\.scanning\.ray needs the extra `ray`"):
        importlib.import_module("screener.scanning.ray")


def test_messages_name_extras_by_how_they_are_installed():
    """`pip install 'media-screener[name]'` for an extra that there is, if a message asks for one;
    never `screener`, another project on PyPI, nor the packages that an extra stands for.
    """
    package = Path(screener.__file__).parent
    named = re.compile(r"(?:format_install|describe_extra|make_missing_error)\([\"'](\w+)[\"']\)")
    sources = {path: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    asked = {name for text in sources.values() for name in named.findall(text)} | {
        *installation.EXTRAS
    }

    there = set(importlib.metadata.metadata("media-screener").get_all("Provides-Extra"))
    wanted = {"heif", "video", "hashes", "arrow", "cloud", "sign", "edge", "ray", "hotline"}
    wanted |= {"client", "serve"}
    assert asked == there & asked == wanted
    assert installation.format_install("hotline") == "pip install 'media-screener[hotline]'"
    assert "(pip install 'media-screener[heif]')" in installation.describe_extra("heif")
    by_hand = [path for path, text in sources.items() if re.search(r"pip install [^.'{`]", text)]
    assert by_hand == []
