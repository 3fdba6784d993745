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

# From the bottom up: a module may import those named before it.
LAYERS = [
    "version", "standard_streams", "errors", "hindrance", "printable", "whole", "foreign", "rows",
    "private", "steps", "toml_file", "extras", "signatures", "lock", "claim", "threads", "cores",
    "hashing", "media", "index", "lists", "policy", "provenance", "video_matching", "result",
    "plain", "located", "regions", "frame_hashes", "hashed", "ahead", "hasher", "matching",
    "screen", "stopping", "inputs", "workers", "newest", "result_lines", "finished", "cache",
    "backlog", "scanning", "output", "ray", "vpdq", "report", "audit", "calibrate", "hotline",
    "commands", "cli",
]  # fmt: skip


def layer_of(module: str) -> str:
    """The layer that a dotted name inside the package belongs to."""
    return module.split(".")[1]


def imports_of(path: Path) -> set[str]:
    """The modules of this package that a source file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "screener":
            assert node.level == 0
            if node.module == "screener":
                found |= {f"screener.{alias.name}" for alias in node.names}
            else:
                found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.startswith("screener.")}
    return found


def test_the_public_names_are_those_exported_and_sorted():
    """`__all__` is sorted, every name in it exists, and no other public name is in reach."""
    modules = {name for name in sys.modules if name.startswith("screener.")}
    submodules = {name.split(".")[1] for name in modules}
    reachable = {n for n in vars(screener) if not n.startswith("_")} - submodules - {"logging"}

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
    if not found.name.startswith("screener.ray"):  # an extra, which may not be installed
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


def test_imports_run_one_way():
    """No module imports from a layer above its own; the core is imported by eleven modules only."""
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        own = path.relative_to(PACKAGE).with_suffix("").parts
        if own == ("__init__",):
            continue
        for module in imports_of(path):
            layer = layer_of(module)
            if layer == "_core":
                if own not in {
                    ("index", "comparison"),
                    ("index", "digests"),
                    ("index", "hamming"),
                    ("index", "tables"),
                    ("hashing", "detail"),
                    ("hashing", "digest"),
                    ("hashing", "pdq"),
                    ("hashing", "shrink"),
                    ("media", "backdrop"),
                    ("media", "ends"),
                    ("media", "trim"),
                    ("screen",),
                }:
                    wrong.append((own, module))
            elif LAYERS.index(layer) > LAYERS.index(own[0]):
                wrong.append((own, module))

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


def test_every_module_has_a_layer():
    """LAYERS names what there is, and nothing that is gone."""
    files = set(PACKAGE.glob("*.py")) | set(PACKAGE.glob("*/__init__.py"))
    there = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in files}
    assert {name for name in there if not name.startswith("_")} == set(LAYERS)


def test_hashing_and_media_know_nothing_of_each_other():
    """The two lie beside each other; what joins them stands above."""
    for folder, other in (("hashing", "media"), ("media", "hashing")):
        for path in (PACKAGE / folder).rglob("*.py"):
            assert not any(layer_of(m) == other for m in imports_of(path)), path


def test_no_statement_numbers_its_places():
    """Python 3.12.0 to 3.12.3 warns of each `?1` that is given a sequence: where warnings are
    errors, no list would open.
    """
    sources = {str(path): path.read_text() for path in PACKAGE.rglob("*.py")}
    assert [name for name, text in sources.items() if re.search(r"[ (=]\?\d", text)] == []


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
    assert loaded & unwanted == set()


@pytest.mark.parametrize(
    ("name", "unwanted"),
    [
        (
            "screener",
            "numpy.ma screener.lists.formats screener.lists.imports screener.lists.showing",
        ),
        ("screener", "screener.workers.workers screener.report screener.ray screener.commands"),
        ("screener", "multiprocessing socket screener.media.video"),
        ("screener.cli", "screener.calibrate screener.lists.showing screener.hotline.partners"),
    ],
)
def test_what_few_programs_need_is_loaded_by_those_that_do(name, unwanted):
    """`import screener`, which each worker and each command starts with, leaves alone what keeps a
    list, starts processes or tells of a day's work: loading takes time for each module.
    """
    loaded = _loaded_by(name)

    assert name in loaded
    assert loaded & set(unwanted.split()) == set()
