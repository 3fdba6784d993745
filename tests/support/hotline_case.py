"""A hotline for tests: its folder, analysts, partners, reports, and the records of its list."""

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
from screener.hotline.reports.sealed import Secret, derive_proof
from screener.screening.input.hasher import HashMode, Target
from screener.screening.input.located_hash import LocatedHash
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
    """Create a hotline with three analysts and two partners."""
    desk = Desk.create(folder)
    settings = {"analysts": ["amina", "badr", "chloé"]}
    settings |= {"trusted": [str(one) for one in trusted], "lists": [str(one) for one in lists]}
    text = "\n".join(f"{name} = {json.dumps(value)}" for name, value in settings.items())
    (Path(folder) / "settings.toml").write_text(text, encoding="utf-8")
    (Path(folder) / "partners.toml").write_text(_PARTNERS, encoding="utf-8")
    return desk


def item_of(path):
    """Return the item of a picture or clip, hashed in this process."""
    item = own_media.make_item(
        own_media.HashTask(Policy()).run(Target(str(path)), None, HashMode.NORMAL)
    )
    assert item is not None
    return item


_number = iter(range(1 << 30))


def report_of(*items, secret=None, **fields):
    """Return a report of items, with a new reference."""
    own_secret = secret or Secret.make()
    return Report(
        f"{next(_number):032x}", fields.pop("day", date(2026, 3, 14)), fields.pop("language", "ar"),
        own_secret.status_key, derive_proof(own_secret.withdrawal), items=items, **fields,
    )  # fmt: skip


def sealed_file(desk, report, name):
    """Write a report or withdrawal, sealed to a hotline, beside its folder; return the path."""
    path = desk.folder.parent / name
    path.write_bytes(
        sealed.seal(encode(report), sealed.read_public_key(desk.folder / "hotline.pub"))
    )
    return path


def take(desk, *reports, at=NOON, by="amina"):
    """Import reports into a hotline; return the results."""
    files = [sealed_file(desk, one, f"in-{next(_number)}") for one in reports]
    return desk.take(files, by=by, at=at)


def listed(desk):
    """Return the states of a hotline's records by source and entry."""
    hash_list = HashList.open(desk.folder / "hotline.list")
    states = {}
    for case in desk.cases():
        for entry, _ in case.entries:
            for shown in hash_list.show(entry):
                states[shown.source, shown.entry] = str(shown.state)
    assert sum(hash_list.states.values()) == len(states)
    return states


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


def make_list(folder, rows, source, **fields):
    """Create a list from rows of a CSV."""
    file = folder.with_suffix(".csv")
    file.write_text("id,pdq,md5,status\n" + "\n".join(rows) + "\n")
    HashList.create(folder).import_file(file, source=source, **fields)
    return folder


def row(item, entry, state="confirmed"):
    """Return the CSV row of an item's PDQ."""
    (pdq,) = (one for one in item.upright_hashes if one.kind.name == "pdq")
    return f"{entry},{pdq.text},,{state}"


def clip_of(codes):
    """Return the item of a clip with these frames, a second apart."""
    frames = [
        LocatedHash(
            Hash(KINDS["pdq"], code.tobytes(), 100), "upright", part=n, time=float(n), detail=99
        )
        for n, code in enumerate(codes)
    ]
    value = Hash(KINDS["vpdq"], clips.value_of(clips.clip(codes)))
    return Item("video/mp4", True, (*frames, LocatedHash(value)))
