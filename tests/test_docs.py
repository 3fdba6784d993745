"""The examples in the documentation run as they stand."""

import asyncio
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from command_process import put_in_path
from command_process import screener as command
from exchange_samples import ICSE, MD5, NCMEC, NSRL, STOPNCII, TAT, UPDATES, VICS20

from screener import HammingIndex, HashList, Policy, Pool, Screener, Verdict
from screener.cli.app import cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = list((ROOT / "docs").rglob("*.md"))


def python_blocks(page: str) -> list[str]:
    """The Python code blocks of a page."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


def first_shell_block(page: str) -> list[str]:
    """The commands of a page's first block without a language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    block = next(content for language, content in blocks if not language)
    return [line for line in block.splitlines() if line.strip()]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the list and the picture that the pages speak of."""
    HashList.create(tmp_path / "known.list").import_file(ROOT / "fixtures/known.csv")
    photo = (ROOT / "fixtures/images/kiosk-mirrored.jpg").read_bytes()
    (tmp_path / "photo.jpg").write_bytes(photo)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_first_match_of_the_readme_prints_what_it_shows(tmp_path, monkeypatch, capsys):
    """The commands behind `pip install`, their output, the result line and the lines of Python."""
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    (line,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    install, *commands = (shlex.split(one, comments=True) for one in first_shell_block("README.md"))

    printed = "".join(command(*words[1:]).stderr for words in commands).splitlines()

    assert install == ["pip", "install", "."]
    assert set(shown.splitlines()) - set(printed) == {"…"}
    results = map(json.loads, Path("results.jsonl").read_text().splitlines())
    expected = json.loads(line)
    (found,) = (one for one in results if one["input"] == expected["input"])
    (match,) = found["matches"]
    assert expected.pop("matches")[0].items() <= match.items()
    assert expected.items() <= found.items()
    exec(compile(python_blocks("README.md")[0], "README.md", "exec"), {})
    assert capsys.readouterr().out == "match [('demo-0003', 'pdq', 2)]\n"


def test_the_asyncio_example_screens_uploads_in_order(folder):
    """The function of docs/uploads.md gives one result an upload, in the order of the uploads."""
    (code,) = python_blocks("docs/uploads.md")
    names: dict = {}
    exec(compile(code, "docs/uploads.md", "exec"), names)
    uploads = [(folder / "photo.jpg").read_bytes(), b"", (folder / "photo.jpg").read_bytes()]

    with Pool(Screener(HashList.open("known.list")), jobs=1) as pool:
        results = asyncio.run(names["check_all"](pool, uploads))

    assert [r.verdict for r in results] == [Verdict.MATCH, Verdict.UNSCREENED, Verdict.MATCH]


def test_the_example_of_resuming_writes_each_line_once(folder):
    """The script of docs/resuming.md, run twice."""
    (folder / "uploads").mkdir()
    (folder / "photo.jpg").rename(folder / "uploads" / "photo.jpg")
    code, newer_list = python_blocks("docs/resuming.md")
    (folder / "again.py").write_text(code)

    for _ in range(2):
        subprocess.run([sys.executable, "again.py"], check=True, cwd=folder, timeout=120)

    assert len((folder / "results.jsonl").read_text().splitlines()) == 1
    # The example of a newer list runs too; its cache is empty here.
    exec(compile(newer_list, "docs/resuming.md", "exec"), {})


def test_the_recipe_for_prometheus_counts_a_scan(folder):
    """The script of docs/metrics.md, with a port of the system's choice; what its exporter would
    tell is what the results say.
    """
    (folder / "uploads").mkdir()
    (folder / "photo.jpg").rename(folder / "uploads" / "photo.jpg")
    (folder / "uploads" / "empty").touch()
    (code,) = python_blocks("docs/metrics.md")
    tell = "\n    import prometheus_client as p\n    print(p.generate_latest().decode())\n"
    (folder / "metrics.py").write_text(code.replace("9109", "0") + tell)

    done = subprocess.run(
        [sys.executable, "metrics.py"], check=True, cwd=folder, timeout=120, capture_output=True
    )

    told = dict(line.rsplit(" ", 1) for line in done.stdout.decode().splitlines() if line)
    size = sum(path.stat().st_size for path in (folder / "uploads").iterdir())
    assert told['screener_results_total{reason="",verdict="match"}'] == "1.0"
    assert told['screener_results_total{reason="empty",verdict="unscreened"}'] == "1.0"
    assert float(told["screener_bytes_total"]) == size
    assert told["screener_hash_seconds_count"] == "2.0"
    assert told["screener_lookup_inputs_total"] == "2.0"
    assert float(told["screener_hash_seconds_sum"]) > 0


def test_the_audit_example_keeps_a_whole_log(folder, capsys):
    """The lines of docs/audit.md run as printed and find their own log whole."""
    (code,) = python_blocks("docs/audit.md")

    exec(compile(code, "docs/audit.md", "exec"), {})

    assert capsys.readouterr().out == "True\n"


def test_the_index_example_of_the_readme_finds_what_it_holds(folder):
    """The third example runs on codes and queries, and finds each query at distance 0; and so does
    that of docs/internals/segments.md, which removes them.
    """
    import numpy as np

    codes = np.random.default_rng(1).integers(0, 256, (100, 32), np.uint8)
    names = {"codes": codes, "queries": codes[:3]}
    searching, _, weighing = python_blocks("docs/search.md")
    exec(compile(searching, "docs/search.md", "exec"), names)

    assert names["rows"].tolist() == [0, 1, 2]
    assert len(names["index"]) == 100

    names |= {"weights": np.full((3, 256), 9, np.uint8), "budgets": [0, 8, 9 * 256]}
    names |= {"query": codes[5], "weights_of_it": np.full(256, 40, np.uint8)}
    exec(compile(weighing, "docs/search.md", "exec"), names)
    assert names["offsets"].tolist() == [0, 1, 2, 102]
    assert names["one"][1].tolist() == [5]

    (growing,) = python_blocks("docs/internals/segments.md")
    exec(compile(growing, "docs/internals/segments.md", "exec"), names)
    assert names["rows"].tolist() == []  # all three were among the ten that it removes
    assert len(names["index"]) == 90


def test_the_recipe_for_near_pairs_finds_copies_and_skips_damaged_files(folder):
    """The recipe of docs/search.md, over drawn pictures, a smaller copy and a file cut short."""
    import numpy as np
    from PIL import Image

    (folder / "photos").mkdir()
    for path in (ROOT / "fixtures/images").glob("[ah]*.jpg"):
        (folder / "photos" / path.name).write_bytes(path.read_bytes())
    with Image.open(folder / "photos/alley.jpg") as picture:
        picture.resize((200, 150)).save(folder / "photos/copy.jpg")
    damaged = (folder / "photos/alley.jpg").read_bytes()[:300]
    (folder / "photos/damaged.jpg").write_bytes(damaged)
    names = {"np": np, "HammingIndex": HammingIndex}

    exec(compile(python_blocks("docs/search.md")[1], "docs/search.md", "exec"), names)

    assert [(one.name, other.name) for one, other in names["near"]] == [("alley.jpg", "copy.jpg")]
    assert {path.name for path in names["paths"]} == {"alley.jpg", "copy.jpg", "harbour.jpg"}


def test_the_hashing_example_gives_the_reference(folder):
    """The first block of docs/hashing.md gives the PDQ of pdqhash, bit for bit."""
    import numpy as np
    import pdqhash

    names: dict = {}
    exec(compile(python_blocks("docs/hashing.md")[0], "docs/hashing.md", "exec"), names)

    vector, quality = pdqhash.compute(names["rgb"])
    assert names["one"].value == np.packbits(vector).tobytes()
    assert names["one"].quality == quality
    assert names["eight"][0] == names["one"] == names["many"][0]


def test_the_examples_of_hashing_give_what_the_page_says(folder, capsys):
    """The blocks of docs/hashing.md, and what its table says of the others."""
    import hashlib

    import imagehash
    import numpy as np
    from PIL import Image

    of_pixels, of_files, of_bytes = python_blocks("docs/hashing.md")
    names: dict = {}
    exec(compile(of_pixels, "docs/hashing.md", "exec"), names)
    assert capsys.readouterr().out == "0\n"
    assert names["many"] == tuple(
        names["pdq"].compute(np.ascontiguousarray(view))
        for view in (names["rgb"], names["rgb"][:, ::-1], names["rgb"][:200])
    )
    image = Image.fromarray(names["rgb"])
    assert names["phash"].text == str(imagehash.phash(image))
    for name, function in (("dhash", imagehash.dhash), ("ahash256", imagehash.average_hash)):
        kind = names["KINDS"][name]
        size = 16 if name.endswith("256") else 8
        made = names["classic"].compute(names["rgb"], kind)
        assert made.text == str(function(image, hash_size=size))

    exec(compile(of_files, "docs/hashing.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "sha256 None None full frame"
    assert lines[1].startswith("pdq ")
    assert lines[-1] == "None"

    names = {}
    exec(compile(of_bytes, "docs/hashing.md", "exec"), names)
    assert names["md5"].text == hashlib.md5(Path("photo.jpg").read_bytes()).hexdigest()
    assert names["sha256"].text == hashlib.sha256(Path("photo.jpg").read_bytes()).hexdigest()
    assert [one.text for (one,) in names["several"]] == [
        hashlib.md5(word).hexdigest() for word in (b"one", b"other")
    ]


def test_the_commands_for_keeping_lists_work_one_after_the_other(tmp_path, monkeypatch, capsys):
    """Each line of docs/lists.md and then of docs/exporting.md, as printed, in a fresh folder with
    a file of each body; then the filter that they made answers in the Python lines.
    """
    monkeypatch.chdir(tmp_path)
    for name, sample in BODIES.items():
        Path(name).write_text(sample, encoding="utf-8")
    put_in_path(monkeypatch, tmp_path / "bin")
    lines = [*first_shell_block("docs/lists.md"), *first_shell_block("docs/exporting.md")]

    for line in lines:
        done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (line, done.stderr)
        assert "Traceback" not in done.stderr

    assert len(lines) == 18
    assert dict(HashList.open("ncii.list").states) == {"confirmed": 1, "withdrawn": 1}
    (code,) = python_blocks("docs/exporting.md")
    exec(compile(code, "docs/exporting.md", "exec"), {"digest": MD5})
    assert capsys.readouterr().out == "True\n"


def test_a_list_of_ones_own_finds_the_picture_as_the_page_shows(tmp_path, monkeypatch):
    """The first block of docs/lists.md."""
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").write_bytes((ROOT / "fixtures/images/kiosk-mirrored.jpg").read_bytes())
    names = {}

    exec(compile(python_blocks("docs/lists.md")[0], "docs/lists.md", "exec"), names)

    matches = Screener(names["own"].refresh()).screen("photo.jpg").matches
    assert [(match.source, match.entry) for match in matches] == [("our team", "case-17")]


def test_a_list_is_kept_from_python_as_the_page_shows(tmp_path, monkeypatch, capsys):
    """The block of docs/lists.md imports the fixtures' list, tells what came of it, and exports."""
    monkeypatch.chdir(tmp_path)
    Path("known.csv").write_bytes((ROOT / "fixtures/known.csv").read_bytes())

    exec(compile(python_blocks("docs/lists.md")[1], "docs/lists.md", "exec"), {})

    assert capsys.readouterr().out == "8 1 {'wrong length': 1}\n"
    copied = Path("copy.csv").read_text(encoding="utf-8").splitlines()
    assert len(copied) == 9


BODIES = {
    "ncmec.xml": NCMEC,
    "vics.json": json.dumps(VICS20),
    "icse.csv": ICSE,
    "iwf.csv": f"Ref;Hash1;Hash2;Grade\n1;{MD5[::-1]};;A\n2;{MD5};damaged;B\n",
    "iwf.toml": '[columns]\nRef = "entry"\nHash1 = "md5"\nHash2 = "sha1"\n'
    'Grade = { field = "category", scheme = "uk-sentencing-council" }\n',
    "updates.json": json.dumps(UPDATES),
    "nsrl.csv": NSRL,
    "stopncii.json": json.dumps(STOPNCII),
    "tat.json": json.dumps(TAT),
}


def test_the_scan_example_writes_a_line_a_file(folder):
    """The block of docs/scanning.md, as a script of its own because it starts processes."""
    (folder / "uploads").mkdir()
    (folder / "photo.jpg").rename(folder / "uploads" / "photo.jpg")
    script = folder / "scan_uploads.py"
    (code,) = python_blocks("docs/scanning.md")
    script.write_text(code)

    subprocess.run([sys.executable, script], check=True, cwd=folder, timeout=120)

    (line,) = (folder / "results.jsonl").read_text().splitlines()
    assert json.loads(line)["verdict"] == "match"


def test_the_policy_file_shown_is_the_default_except_for_the_age(folder):
    """Every value in docs/policy.md is the default, so that it can be copied and changed."""
    page = (ROOT / "docs/policy.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (folder / "policy.toml").write_text(shown)

    assert Policy.load(folder / "policy.toml") == Policy(max_list_age=86400)


def table(page: str, head: str) -> list[list[str]]:
    """The cells of each row of the table whose head begins so, without marks of bold."""
    text = (ROOT / page).read_text(encoding="utf-8").partition(f"| {head}")[2]
    rows = text.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip(" *") for cell in row.strip("|").split("|")] for row in rows]


def receipt(name: str) -> list[dict[str, Any]]:
    """The rows of a benchmark's receipt."""
    return json.loads((ROOT / f"benchmarks/receipts/{name}.json").read_text())["rows"]


def test_tables_that_are_written_by_hand_have_the_figures_of_their_receipts():
    """Of docs/internals/detail.md what is refused, compared and met by kind; of
    docs/internals/memory.md what a picture takes.
    """
    by_kind = {f"`{row['kind']}`": row for row in receipt("detail") if "kind" in row}
    told = table("docs/internals/detail.md", "kind | photos refused")
    assert [kind for kind, *_ in told] == list(by_kind)
    for kind, refused, compared, equal, within in told:
        row = by_kind[kind]
        assert int(refused) == row["photos_refused"]
        assert int(re.split("[ ,]", compared)[0]) == sum(row["drawn_compared"].values()), kind
        assert equal == f"{row['equal_without']:,} · {row['equal_with']:,}"
        assert within == f"{row['matches_without']:,} · {row['matches_with']:,}"

    forms = {row["form"]: row for row in receipt("memory")}
    for form, decoded, taken, *_ in table("docs/internals/memory.md", "file | decoded"):
        row = forms.pop(form)
        assert float(taken) == row["bytes_a_pixel"], form
        bound = 2 * int(decoded) * row["pixels"] + (64 << 20)
        assert round(bound / 2**20) == row["bound_mib"], form
    assert all(row["holds"] for row in forms.values())  # no other form exceeds the bound
    assert {round(row["bytes_a_pixel"]) for row in forms.values()} == {1, 3, 4, 5, 6}


def test_the_page_on_upgrades_has_the_numbers_of_the_formats():
    """A format whose number rises is noticed here: its row says what users must do."""
    from screener.hotline.casebook import case_database
    from screener.index import layout
    from screener.lists.store import schema
    from screener.media.image import pixels
    from screener.reporting.audit import chain
    from screener.scanning.cache import cache_file
    from screener.screening import result

    cache = f"{cache_file._FORMAT}, with weights {cache_file._WEIGHTS_FORMAT}"
    assert [
        format for _, format, _ in table("docs/upgrading.md", "file | format now") if format
    ] == [
        str(schema.FORMAT),
        cache,
        str(layout.VERSION),
        str(result.SCHEMA),
        str(chain.VERSION),
        str(case_database.FORMAT_VERSION),
        f"pixels {pixels.VERSION}",
    ]


def test_the_page_of_the_interface_has_every_public_name():
    """`docs/api.md` takes the text of each from its docstring."""
    import screener
    from screener import service

    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")

    shown = set(re.findall(r"screener(?:\.service)?\.(\w+)", text))
    assert {*screener.__all__, *service.__all__} - {"__version__"} <= shown


def headings(page: Path) -> set[str]:
    """The names by which links find the headings of a page, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "page",
    ["README.md", "SECURITY.md", *sorted(str(p.relative_to(ROOT)) for p in PAGES)],
)
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(page):
    """Links within the repository, from the README, SECURITY.md and the pages of docs."""
    path = ROOT / page
    links = re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", path.read_text(encoding="utf-8"))

    for link, heading in links:
        target = path.parent / link if link else path
        assert target.exists(), link
        assert not heading or heading in headings(target), (link, heading)


def helps(command: click.Command) -> Iterator[str]:
    """The help of a command and of all below it, as it is written."""
    yield command.help or ""
    for one in command.commands.values() if isinstance(command, click.Group) else ():
        yield from helps(one)


def calls(text: str) -> Iterator[list[str]]:
    """The words behind `screener` of each call that a text shows whole: in a line of its own, or
    behind a pipe or another command, or within backticks.
    """
    text = text.replace("\\\n", " ")
    shown = re.findall(r"`(screener [^`…]*)`", text)
    for line in re.findall(r"^(?: *|[^`]* [|;&]+ )(?=screener [a-z])(.*)$", text, re.M):
        shown += re.split(r" [|;&]+ ", line)
    for one in shown:
        words = shlex.split(one, comments=True)
        if words[0] == "screener" and "…" not in one:
            yield words[1:]


def named(words: list[str]) -> Iterator[str]:
    """What these words name and there is not: a command, or an option of one."""
    found: click.Command = cli
    for word in words:
        if word.startswith("-") and word != "-":
            options = found.get_params(click.Context(found))  # with that for help
            if not any(word in (*one.opts, *one.secondary_opts) for one in options):
                yield word
        elif isinstance(found, click.Group):
            below = found.commands.get(word, found.commands.get("page"))  # `report RESULTS`
            if below is None:
                yield word
                return
            found = below


def test_every_command_that_is_shown_is_one():
    """In the README, the pages of docs and the helps: its name, and each option given to it; and
    none is left out.
    """
    pages = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted(PAGES)]
    texts = [page.read_text(encoding="utf-8") for page in pages] + list(helps(cli))

    shown = [words for text in texts for words in calls(text)]

    assert {words[0] for words in shown} >= set(cli.commands)
    assert [words for words in shown if list(named(words))] == []
