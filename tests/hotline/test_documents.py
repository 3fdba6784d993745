"""The commands of docs/hotline.md and the answer of docs/partners.md, as printed."""

import json
import re
import subprocess
from datetime import UTC, datetime

import jsonschema
import pytest
from command_process import put_in_path
from paths import REPOSITORY

from screener import HashList
from screener.hotline import helplines, partners

PAGE = (REPOSITORY / "docs/hotline.md").read_text(encoding="utf-8")
PARTNERS = (REPOSITORY / "docs/partners.md").read_text(encoding="utf-8")
PICTURE = (REPOSITORY / "fixtures/images/kiosk-mirrored.jpg").read_bytes()


def section(title, page=PAGE):
    """Return a section of a page."""
    (found,) = re.findall(rf"^#+ {title}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    return found


def blocks(text, kind=""):
    """Return the code blocks of a kind; those for a shell have none."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for its_kind, block in found if its_kind == kind]


def commands(text):
    """Return the lines for a shell."""
    return [line for block in blocks(text) for line in block.splitlines() if line.strip()]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs a line of the page and returns its output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANG", "C.UTF-8")
    for name in ("LC_ALL", "LC_MESSAGES", "SCREENER_HOTLINE"):
        monkeypatch.delenv(name, raising=False)
    put_in_path(monkeypatch, tmp_path / "bin")

    def go(line, *, input=None, code=0):
        done = subprocess.run(
            line, shell=True, capture_output=True, text=True, timeout=120, input=input
        )
        assert done.returncode == code, (line, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stdout

    return go


def answer(folder, event):
    """Write the page's own answer into a partner's folder, for the notice there."""
    (example,) = blocks(section("What you answer", PARTNERS), "json")
    text = (REPOSITORY / "docs/acknowledgement.schema.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    jsonschema.validate(json.loads(example), schema, cls=jsonschema.Draft202012Validator)
    (notice,) = [one.name for one in folder.iterdir() if one.name.startswith("N-")]
    facts = json.loads(example) | {"notice": notice, "event": event}
    facts["at"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    (folder / "acknowledgements" / f"{event}.json").write_text(json.dumps(facts))


def test_the_day_in_ten_commands(run, tmp_path):
    """From a report to its removal; the picture matches only after the second analyst."""
    day = commands(section("Ten commands"))
    assert len(day) == 10
    for name in ("me.jpg", "item.jpg"):
        (tmp_path / name).write_bytes(PICTURE)
    create, report, take, first, second, notify, acknowledge, page, publish, status = day
    run(create)
    settings, known = blocks(section("Ten commands"), "toml")
    (tmp_path / "hotline" / "settings.toml").write_text(settings, encoding="utf-8")
    (tmp_path / "hotline" / "partners.toml").write_text(known, encoding="utf-8")

    secret = re.search(r"[A-Z2-7]{4}(-[A-Z2-7]{4})+", run(report)).group(0)
    case = re.search(r"C-[0-9A-Z]+", run(take)).group(0)
    scan = "screener scan item.jpg --list hotline/hotline.list -o "
    run(first.replace("C-LHX3WYHD", case))
    run(f"{scan} before.jsonl", code=3)
    run(second.replace("C-LHX3WYHD", case))
    run(f"{scan} after.jsonl", code=1)
    run(notify.replace("C-LHX3WYHD", case))
    for partner, languages in (("meta", ("en", "fr")), ("tiktok", ("en", "ar"))):
        folder = tmp_path / "hotline" / "partners" / partner
        (notice,) = folder.glob("N-*")
        assert {one.name for one in notice.iterdir()} == {
            "notice.json", *(f"notice.{c}.{e}" for c in languages for e in ("txt", "html")),
        }  # fmt: skip
        answer(folder, "acknowledged")
        answer(folder, "removed")
    assert "removed" in run(acknowledge)
    run(page)
    assert "100%" in (tmp_path / "status.html").read_text(encoding="utf-8")
    run(publish)
    assert "has been removed" in run(status, input=f"{secret}\n")

    exports = commands(section("To other systems"))
    assert len(exports) == 3
    for line in exports:
        run(line)
    lines = (tmp_path / "threatexchange.txt").read_text().splitlines()
    assert len([line for line in lines if line.startswith("pdq ")]) == 1
    copy = HashList.create(tmp_path / "copy.list")
    for name in ("threatexchange.txt", "hma.json", "ncmec.xml"):
        copy.import_file(tmp_path / name, source=name)
        copy = copy.refresh()
    run("screener scan item.jpg --list copy.list -o copied.jsonl", code=1)
    (line,) = (tmp_path / "copied.jsonl").read_text().splitlines()
    assert {one["source"] for one in json.loads(line)["matches"]} == {
        "threatexchange.txt", "hma.json", "ncmec.xml",
    }  # fmt: skip

    (code,) = blocks(section("From Python"), "python")
    exec(compile(code, "docs/hotline.md", "exec"), {})
    assert 'dir="rtl"' in (tmp_path / "status.html").read_text(encoding="utf-8")


def test_the_commands_of_the_table_exist():
    """Each of them."""
    from screener.cli.app import cli

    for name in ("case list", "case show", "case overdue", "case close", "case reverse",
                 "report withdraw", "audit verify"):  # fmt: skip
        assert name in section("Also")
        found = cli
        for word in name.split():
            found = found.commands[word]


def test_the_printed_partners_and_helplines_files_are_valid(tmp_path):
    """As printed."""
    (tmp_path / "partners.toml").write_text(blocks(PAGE, "toml")[1], encoding="utf-8")
    found = partners.load(tmp_path / "partners.toml")
    assert list(found.partners) == ["meta", "tiktok"]
    (shown,) = blocks(section("Helplines"), "toml")
    (tmp_path / "helplines.toml").write_text(shown, encoding="utf-8")
    own = {one.id for one in helplines.load(tmp_path / "helplines.toml")}
    assert "our-own" in own
    assert "child-focus" not in own
