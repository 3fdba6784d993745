"""A hotline made for a test: its folder, analysts, partners and reports, and what its list says."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import clips
from paths import REPOSITORY

from screener import HashList, Screener
from screener.hashing.hash import KINDS, Hash
from screener.hotline.desk import Desk
from screener.hotline.model.report import Item, Report
from screener.hotline.reports import own_media, sealed
from screener.hotline.reports.report_json import encode
from screener.hotline.reports.sealed import Secret, proof
from screener.screening.input.hasher import Target
from screener.screening.input.located_hash import Located
from screener.screening.policy import Policy

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
IMAGES = REPOSITORY / "fixtures/images"
_PARTNERS = """
[hotline]
name = "Test hotline"
contact = "duty@hotline.example"
zone = "Africa/Casablanca"
legal_basis = "Law 1"
tlp = "GREEN"

[partners.meta]
name = "Meta"
folder = "to/meta"
languages = ["ar", "fr", "en"]
kinds = ["pdq", "md5", "sha256"]

[partners.tiktok]
name = "TikTok"
folder = "to/tiktok"
languages = ["en"]
kinds = ["md5"]
"""


def make_desk(folder, *, trusted=(), lists=()):
    """A hotline with three analysts and two partners."""
    desk = Desk.create(folder)
    told = {"analysts": ["amina", "badr", "chloé"]}
    told |= {"trusted": [str(one) for one in trusted], "lists": [str(one) for one in lists]}
    text = "\n".join(f"{name} = {json.dumps(value)}" for name, value in told.items())
    (Path(folder) / "settings.toml").write_text(text, encoding="utf-8")
    (Path(folder) / "partners.toml").write_text(_PARTNERS, encoding="utf-8")
    return desk


def item_of(path):
    """The item that a picture or clip makes, hashed in this process: files of ours are harmless."""
    item = own_media._item(own_media._HashTask(Policy()).do(Target(str(path)), None, False))
    assert item is not None
    return item


_number = iter(range(1 << 30))


def report_of(*items, secret=None, **said):
    """A report of items; its reference is another each time."""
    held = secret or Secret.make()
    return Report(
        f"{next(_number):032x}", said.pop("day", date(2026, 3, 14)), said.pop("language", "ar"),
        held.status_key, proof(held.withdrawal), items=items, **said,
    )  # fmt: skip


def sealed_file(desk, said, name):
    """A file of a report or withdrawal, sealed to a hotline, beside its folder."""
    path = desk.folder.parent / name
    path.write_bytes(sealed.seal(encode(said), sealed.public_key(desk.folder / "hotline.pub")))
    return path


def take(desk, *said, at=NOON, by="amina"):
    """Have a hotline take reports in; what became of each."""
    files = [sealed_file(desk, one, f"in-{next(_number)}") for one in said]
    return desk.take(files, by=by, at=at)


def listed(desk):
    """The records of a hotline's list: their states, by source and entry."""
    known = HashList.open(desk.folder / "hotline.list")
    found = {}
    for one in desk.cases():
        for entry, _ in one.entries:
            for shown in known.show(entry):
                found[shown.source, shown.entry] = str(shown.state)
    assert sum(known.states.values()) == len(found)
    return found


def verdict(desk, path):
    """Return the verdict of a scan of a file with the hotline's list."""
    return str(Screener(desk.own_list).screen(path).verdict)


def illegal(desk, reference, monkeypatch, *made):
    """Let two people assess a case as illegal, with items as if hashed from a file."""
    with monkeypatch.context() as patched:
        patched.setattr(
            "screener.hotline.reports.own_media.hash_intact_files", lambda files: (made, ())
        )
        desk.assess(reference, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)
        return desk.assess(reference, by="badr", outcome="illegal", reason="y", at=NOON)


def make_list(folder, rows, source, **said):
    """Create a list from rows of a CSV."""
    file = folder.with_suffix(".csv")
    file.write_text("id,pdq,md5,status\n" + "\n".join(rows) + "\n")
    HashList.create(folder).import_file(file, source=source, **said)
    return folder


def row(item, entry, state="confirmed"):
    """Return the CSV row of an item's PDQ."""
    (pdq,) = (one for one in item.upright if one.kind.name == "pdq")
    return f"{entry},{pdq.text},,{state}"


def clip_of(codes):
    """Return the item of a clip with these frames, a second apart."""
    frames = [
        Located(
            Hash(KINDS["pdq"], code.tobytes(), 100), "upright", part=n, time=float(n), detail=99
        )
        for n, code in enumerate(codes)
    ]
    value = Hash(KINDS["vpdq"], clips.value_of(clips.clip(codes)))
    return Item("video/mp4", True, (*frames, Located(value)))
