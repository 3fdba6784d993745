"""The package's face: its names, its layers, and what importing it costs."""

import ast
import graphlib
import re
import subprocess
import sys
from itertools import accumulate
from pathlib import Path

import pytest

import screener

PACKAGE = Path(screener.__file__).parent

# A module may import from its own package and from those before it. Packages in one row do not
# import one another.
PACKAGES = [
    ["errors"],
    ["arguments"],
    ["system"],
    ["hashing", "media", "index"],
    ["lists"],
    ["screening"],
    ["scanning"],
    ["reporting"],
    ["hotline", "service"],
    ["cli"],
]
# The faces of the library, which import what they hand on. Nothing imports them but `launch`, which
# starts before anything is loaded.
FACES = {"__init__", "__main__"}
# The packages that call the compiled core.
CALL_THE_CORE = {"hashing", "media", "index", "screening"}


def package_of(path: Path) -> str:
    """Return the entry of `src/screener` that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Return the modules of this library that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "screener":
            assert node.level == 0
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.startswith("screener.")}
    return found


def test_the_public_names_are_those_exported_and_sorted():
    """`__all__` is sorted, every name in it exists, and no other public name is in reach."""
    modules = {name for name in sys.modules if name.startswith("screener.")}
    submodules = {name.split(".")[1] for name in modules}
    reachable = (
        {n for n in vars(screener) if not n.startswith("_")} - submodules - {"TYPE_CHECKING"}
    )

    assert screener.__all__ == sorted(screener.__all__)
    assert reachable - set(screener.__all__) == set()
    assert all(hasattr(screener, name) for name in screener.__all__)


def test_no_function_hides_a_module():
    """`from package import name` and `package.name` are one thing for every module and every public
    name: a function that is called as its module is would be found in the module's place.
    """
    code = """
import importlib, pkgutil, sys
import screener
for found in pkgutil.walk_packages(screener.__path__, "screener."):
    if not found.name.startswith("screener.scanning.ray"):  # an extra, which may not be installed
        importlib.import_module(found.name)
for name in screener.__all__:
    public = {}
    exec(f"from screener import {name}", public)
    assert public[name] is getattr(screener, name), name
own = [name for name in sys.modules if name.startswith("screener.")]
for name in own:
    package, _, module = name.rpartition(".")
    if getattr(sys.modules[package], module) is not sys.modules[name]:
        print("hidden", name)
print(len(own))
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    *hidden, number = shown.stdout.split("\n")[:-1]
    assert hidden == []
    assert int(number) > 250


def test_the_packages_are_those_of_the_list():
    """`src/screener` has fifteen entries."""
    entries = {package_of(path) for path in PACKAGE.rglob("*.py")}

    assert entries - FACES == {name for row in PACKAGES for name in row}


def test_imports_run_one_way():
    """No module imports from a package after its own, from one beside it, or from a face."""
    rank = {name: number for number, row in enumerate(PACKAGES) for name in row}
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        own = package_of(path)
        if own in FACES or path.stem == "launch":
            continue
        for module in imports_of(path):
            package = module.split(".")[1]
            if package == "_core":
                allowed = own in CALL_THE_CORE
            else:
                allowed = package == own or rank.get(package, len(rank)) < rank[own]
            if not allowed:
                wrong.append((str(path.relative_to(PACKAGE)), module))

    assert wrong == []


def test_no_imports_run_in_a_circle():
    """Else it hangs on what a program imports first whether they fail. What a package's own modules
    need of it aside, a module needs the packages that what it imports lies in.
    """
    paths = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        paths[".".join(parts).removesuffix(".__init__")] = path
    needs = {name: set() for name in paths}
    for own, path in paths.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    way = accumulate(f"{node.module}.{alias.name}".split("."), "{}.{}".format)
                    needs[own] |= {one for one in way if not f"{own}.".startswith(f"{one}.")}

    graphlib.TopologicalSorter(needs).prepare()


def test_no_statement_numbers_its_places():
    """Python 3.12.0 to 3.12.3 warns of each `?1` that gets a sequence: if warnings are errors, no
    list would open.
    """
    sources = {str(path): path.read_text() for path in PACKAGE.rglob("*.py")}
    assert [name for name, text in sources.items() if re.search(r"[ (=]\?\d", text)] == []


def test_a_program_without_logging_sees_no_log_of_the_library():
    """A warning goes to the handlers that the program has set, and not to standard error."""
    code = "import logging, screener.errors; logging.getLogger('screener.x').warning('seen')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stderr == ""


def _loaded_by(name):
    """The modules that a fresh interpreter has once it has imported one."""
    code = f"import sys, {name}; print('\\n'.join(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(shown.stdout.split())


def test_importing_loads_neither_opencv_nor_scipy_nor_a_network_library():
    """`import screener` in a fresh interpreter leaves heavy and networked modules alone."""
    loaded = {name.split(".")[0] for name in _loaded_by("screener")}

    unwanted = {"cv2", "scipy", "requests", "urllib3", "httpx", "http", "ssl", "imagehash", "click"}
    unwanted |= {"av", "cryptography", "pybloom_live", "ray", "pyarrow", "nacl", "babel"}
    unwanted |= {"fsspec", "s3fs", "asyncio", "botocore"}
    unwanted |= {"starlette", "uvicorn", "prometheus_client", "python_multipart"}
    assert loaded & unwanted == set()


@pytest.mark.parametrize(
    ("name", "unwanted"),
    [
        (
            "screener",
            "numpy.ma screener.lists.formats.registry screener.lists.importing"
            " screener.lists.inspecting.shown_entry",
        ),
        (
            "screener",
            "screener.scanning.workers.pool screener.reporting.pages.report_page"
            " screener.scanning.ray screener.cli",
        ),
        ("screener", "multiprocessing socket screener.media.video.frames"),
        (
            "screener.cli.app",
            "screener.reporting.calibration.calibrate screener.lists.inspecting.shown_entry"
            " screener.hotline.partners",
        ),
    ],
)
def test_what_few_programs_need_is_loaded_by_those_that_do(name, unwanted):
    """`import screener`, with which each worker and command starts, does not load what changes
    lists, starts processes or writes reports: each module costs time.
    """
    loaded = _loaded_by(name)

    assert name in loaded
    assert loaded & set(unwanted.split()) == set()
