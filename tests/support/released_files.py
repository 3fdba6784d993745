"""The files that a version leaves on users' disks, and the answers that they give when opened.

`scripts/release_files.py` writes them at a release; `tests/test_upgrades.py` opens those of every
release with the version under test.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from command_process import screener

from screener import HammingIndex, HashList, Policy, SegmentedIndex
from screener.hotline.desk import Desk
from screener.service.keys import Keys, Role, add_key

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
# Inputs of the scan: matches by distance, in another orientation, by state; too little; damaged.
INPUTS = ("alley", "blank", "harbour", "kiosk-mirrored", "reported-not-assessed", "truncated")
POLICY = """radius.pdq = 20
max_list_age = 86400
[limits]
pixels = 1000000
[lists.known]
mode = "shadow"
"""
PARTNERS = """[hotline]
name = "A hotline"
contact = "duty@hotline.example"
zone = "UTC"
legal_basis = "a law"
tlp = "GREEN"
[partners.meta]
name = "Meta"
folder = "to/meta"
languages = ["en"]
kinds = ["pdq", "md5"]
"""


def release(folder: Path) -> None:
    """Write a new folder: `files.tar.xz`, the files of this version, and `expected.json`."""
    folder.mkdir(parents=True)
    archive = folder / "files.tar.xz"
    with TemporaryDirectory() as place:
        _write(Path(place))
        with tarfile.open(archive, "w:xz") as packed:
            packed.add(place, ".", filter=_without_owner)
    answers = {part: answer(part, archive) for part in ANSWERS}
    (folder / "expected.json").write_text(json.dumps(answers, indent=1) + "\n")


def answer(part: str, archive: Path) -> Any:
    """Return what a part of a release's files answers, opened in a fresh folder."""
    with TemporaryDirectory() as place, tarfile.open(archive) as packed:
        packed.extractall(place, filter="data")
        return json.loads(json.dumps(ANSWERS[part](Path(place))))


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    # SQLite makes its own files anew; what they held is in the database.
    return None if member.name.endswith(("-shm", "-wal")) else member


def _write(folder: Path) -> None:
    """Write what this version leaves on a disk: lists, caches, results, logs, indexes, settings."""
    shutil.copytree(FIXTURES / "images", folder / "inputs", ignore=_leave_out)
    rows = (FIXTURES / "known.csv").read_text().splitlines()
    (folder / "known.csv").write_text("\n".join(rows) + "\n")
    (folder / "newer.csv").write_text(f"{rows[0]}\n{rows[1].replace('confirmed', 'withdrawn')}\n")
    _run(folder, "import", "known.csv", "--into", "known.list", "--source", "demo", "--by", "ann")
    opinion = ("--state", "disputed", "--by", "ben", "--reason", "a drawing")
    _run(folder, "opinion", "known.list", "demo-0002", "--source", "demo", *opinion)
    scan = ("scan", "inputs", "--list", "known.list", "--jobs", "1", "--keep", "36525", "--cache")
    files = ("hashes.cache", "-o", "results.jsonl", "--audit", "decisions.audit")
    _run(folder, *scan, *files, code=1)
    _run(folder, *scan, "weights.cache", "--cache-weights", "-o", "unused.jsonl", code=1)
    (folder / "unused.jsonl").unlink()
    shutil.rmtree(folder / "inputs")
    _write_hotline(folder)
    codes = _draw_codes()
    HammingIndex.build(codes[:200]).save(folder / "codes.idx")
    grown = SegmentedIndex.create(folder / "codes", bits=256).add(codes[:100]).add(codes[100:])
    grown.remove(codes[:10])
    (folder / "policy.toml").write_text(POLICY)
    secret = add_key(folder / "keys.json", "proxy", [Role.SCREEN, Role.METRICS])
    (folder / "secret.txt").write_text(secret)  # of nothing but these files


def _write_hotline(folder: Path) -> None:
    """Make a hotline with a case that two analysts assessed and a partner was asked about."""
    _run(folder, "hotline", "create", "hotline")
    (folder / "hotline/settings.toml").write_text('analysts = ["amina", "badr"]\n')
    (folder / "hotline/partners.toml").write_text(PARTNERS)
    shutil.copy(FIXTURES / "images/bridge.jpg", folder / "item.jpg")
    report = ("--to", "hotline/hotline.pub", "--my-image", "item.jpg", "-o", "report.sealed")
    _run(folder, "report", "create", *report)
    store = ("--store", "hotline", "--by")
    _run(folder, "case", "import", "report.sealed", *store, "amina")
    (case,) = re.findall(r"C-\w+", _run(folder, "case", "list", *store[:2]))
    assess = ("case", "assess", case, "--outcome", "illegal", "--file", "item.jpg")
    _run(folder, *assess, "--basis", "seen", "--reason", "seen", *store, "amina")
    _run(folder, *assess, "--reason", "seen too", *store, "badr")
    _run(folder, "case", "notify", case, "--partner", "meta", "--reason", "there", *store, "badr")
    for name in ("item.jpg", "report.sealed"):
        (folder / name).unlink()


def _leave_out(_: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(name).stem not in INPUTS]


def _draw_codes() -> np.ndarray:
    return np.random.Generator(np.random.PCG64(7)).integers(0, 256, (300, 32), np.uint8)


def _run(folder: Path, *arguments: str, code: int = 0, input: str | None = None) -> str:
    done = screener(*arguments, cwd=folder, input=input)
    assert done.returncode == code, (arguments, done.returncode, done.stderr)
    return done.stdout


def _summarise(lines: str) -> list[Any]:
    """Return of each result line what no later version may change."""
    return [
        [
            result["input"],
            result["verdict"],
            result["reason"],
            *(
                [[hit[name] for name in ("entry", "state", "kind", "distance")] for hit in hits]
                for hits in (result["matches"], result["other_hits"])
            ),
        ]
        for result in map(json.loads, lines.splitlines())
    ]


def _match(folder: Path) -> list[Any]:
    """Look up each value of the list's file, three bits beside it."""
    queries = []
    with (folder / "known.csv").open() as stream:
        for row in csv.DictReader(stream):
            if len(row["pdq"]) == 64:
                queries.append(f"pdq {int(row['pdq'], 16) ^ 0b10101:064x} 100 {row['id']}")
            queries += [f"md5 {row['md5']} - {row['id']}-file"] if row["md5"] else []
    given = "\n".join(queries) + "\n"
    return _summarise(_run(folder, "match", "--list", "known.list", code=1, input=given))


def answer_list(folder: Path) -> Any:
    """Match hashes; then import a withdrawal, and match them again."""
    _run(folder, "upgrade", "known.list")
    known = HashList.open(folder / "known.list")
    before = [known.generation, dict(known.states), dict(known.kinds), _match(folder)]
    _run(folder, "verify", "known.list")
    _run(folder, "import", "newer.csv", "--into", "known.list", "--source", "demo")
    log = [json.loads(line) for line in _run(folder, "log", "known.list", "--json").splitlines()]
    return [before, _match(folder), [change["what"] for change in log]]


def answer_cache(folder: Path) -> Any:
    """Match the stored hashes of both caches against the list."""
    _run(folder, "upgrade", "known.list")
    rescan = ("rescan", "--list", "known.list", "--all", "--cache")
    return [
        _summarise(_run(folder, *rescan, name, code=1))
        for name in ("hashes.cache", "weights.cache")
    ]


def answer_index(folder: Path) -> Any:
    """Search both kinds of index."""
    queries = _draw_codes()[::7]
    grown = SegmentedIndex.open(folder / "codes")
    grown.verify()
    indexes = (HammingIndex.open(folder / "codes.idx"), grown)
    found = [index.search(queries, radius=90) for index in indexes]
    return [[column.tolist() for column in hits] for hits in found]


def answer_keys(folder: Path) -> Any:
    """Find a key by its secret."""
    key = Keys.load(folder / "keys.json").find((folder / "secret.txt").read_text())
    return key and [key.name, sorted(key.roles)]


def answer_results(folder: Path) -> Any:
    """Make a table of the results."""
    _run(folder, "report", "results.jsonl", "-o", "table.csv")
    with (folder / "table.csv").open(encoding="utf-8-sig") as stream:
        rows = [*csv.DictReader(stream)]
    return [[row[name] for name in ("input", "verdict", "reason", "entry")] for row in rows]


def answer_audit(folder: Path) -> Any:
    """Check the log, continue it, and check it again."""
    verified = json.loads(_run(folder, "audit", "verify", "decisions.audit", "--json"))
    _run(folder, "upgrade", "known.list")
    more = ("match", "--list", "known.list", "--audit", "decisions.audit")
    _run(folder, *more, code=3, input="unscreened empty - nothing\n")
    after = json.loads(_run(folder, "audit", "verify", "decisions.audit", "--json"))
    return [[one[name] for name in ("runs", "decisions", "trouble")] for one in (verified, after)]


def answer_policy(folder: Path) -> Any:
    """Read the settings of a policy file."""
    policy = Policy.load(folder / "policy.toml")
    known = policy.of_list("known")
    return [policy.radius["pdq"], policy.max_list_age, policy.limits.pixels, known.mode]


def answer_hotline(folder: Path) -> Any:
    """Show the case, match its item, read the log, and close the case."""
    _run(folder, "upgrade", "hotline/hotline.list")
    (case,) = re.findall(r"C-\w+", _run(folder, "case", "list", "--store", "hotline"))
    states = [str(one.state) for one in Desk.open(folder / "hotline").cases()]
    digest = hashlib.md5((FIXTURES / "images/bridge.jpg").read_bytes()).hexdigest()
    match = ("match", "--list", "hotline/hotline.list")
    matched = json.loads(_run(folder, *match, code=1, input=f"md5 {digest} - item\n"))
    _run(folder, "audit", "verify", "hotline/cases.audit")
    close = ("case", "close", case, "--state", "removed", "--by", "badr", "--reason", "by phone")
    _run(folder, *close, "--store", "hotline")
    states += [str(one.state) for one in Desk.open(folder / "hotline").cases()]
    return [case, states, matched["verdict"], [hit["kind"] for hit in matched["matches"]]]


ANSWERS = {
    "hotline": answer_hotline,
    "list": answer_list,
    "cache": answer_cache,
    "index": answer_index,
    "keys": answer_keys,
    "results": answer_results,
    "audit": answer_audit,
    "policy": answer_policy,
}
