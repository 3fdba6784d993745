"""A hotline's folder: creation, interrupted work, its log, and deliveries."""

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hotline_case import IMAGES, NOON, item_of, report_of, take

from screener import audit
from screener.errors import HotlineError, ListError
from screener.hashing.hash import Hash
from screener.hotline import own_list, store
from screener.hotline.casebook import case_database
from screener.hotline.desk import Desk
from screener.hotline.model.report import Item
from screener.hotline.reports import own_media
from screener.lists.store import database as lists
from screener.lists.store import repeated_values
from screener.lists.terms import Terms
from screener.system.locks import lock_file

PAGE = "https://x.example/1"


@pytest.fixture(scope="module")
def item():
    """Return the item of a picture."""
    return item_of(IMAGES / "alley.jpg")


def confirmed(desk, item, monkeypatch, **fields):
    """Return a case that two people assessed as illegal, with an item as if hashed from a file."""
    (taken,) = take(desk, report_of(item, **fields))
    with monkeypatch.context() as patched:
        patched.setattr(own_media, "hash_intact_files", lambda files: ((item,), ()))
        for by, basis in (("amina", "seen"), ("badr", None)):
            desk.assess(taken.case, by=by, outcome="illegal", basis=basis, reason="x", at=NOON)
    return taken.case


class Cut(Exception):
    """The process ends here."""


def end_here(*_, **__):
    """End the process."""
    raise Cut


def test_a_full_disk_is_reported_when_a_hotline_is_created(tmp_path, monkeypatch):
    """Also if the casebook finds no room."""
    connect = sqlite3.connect

    def full(address, **settings):
        connection = connect(address, **settings)
        if case_database.FILE_NAME in address:
            connection.execute("PRAGMA max_page_count = 8")
        return connection

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", full)
        with pytest.raises(HotlineError, match=r"cannot be used: database or disk is full"):
            Desk.create(tmp_path / "hotline")

    assert Desk.create(tmp_path / "hotline").cases() == []


DAMAGE = {
    "UPDATE cases SET state = 'lost'": "cases, reference {case}: .* of state",
    "UPDATE cases SET received = 'noon'": "cases, reference {case}: .* of received",
    "UPDATE cases SET basis = '{', seen = 7": "cases, reference {case}: .* of basis, seen",
    "UPDATE reports SET number = 'a', language = 'x'": "reports, in_case {case}: .*number, lang",
    "UPDATE reported SET quality = 300": "reported: .* of quality; [0-9]+ more rows",
    "UPDATE held SET value = x'00'": "held, in_case {case}: .* of value",
    'UPDATE held SET terms = \'{"tlp": "PINK"}\'': "held, in_case {case}: .* of terms",
    "UPDATE entries SET state = 5": "entries, in_case {case}: .* of state",
    'UPDATE events SET reason = \'{"message": "x"}\' WHERE id = 2': "events, id 2: .* of reason",
    "UPDATE sent SET at = CAST(x'ff' AS TEXT)": "sent, in_case {case}: .* of at",
    "UPDATE log SET facts = '[]' WHERE seq = 3": "log, seq 3: .* of facts",
}


def test_a_damaged_row_of_the_casebook_is_named_at_the_opening(desk, item, monkeypatch):
    """Without its values; an unknown state would never be late."""
    case = confirmed(desk, item, monkeypatch, addresses=(PAGE,), note="seen", country="MA")
    desk.notify(case, "meta", by="amina", reason="x", at=NOON)
    path = desk.folder / case_database.FILE_NAME
    sound = path.read_bytes()
    for change, where in DAMAGE.items():
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(change)
        with pytest.raises(HotlineError, match=where.replace("{case}", case)) as output:
            Desk.open(desk.folder)
        assert "cases.sqlite is damaged" in str(output.value)
        assert "put a sound copy" in str(output.value)
        assert not any(one.text[:8] in str(output.value) for one in item.upright_hashes)
        path.write_bytes(sound)
    assert Desk.open(desk.folder).case(case).state == "notified"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("UPDATE cases SET received = 'noon'", "cases, reference {case}: .* of received"),
        ("UPDATE sent SET at = CAST(x'ff' AS TEXT)", "sent, in_case {case}: .* of at"),
    ],
)
def test_a_step_names_a_row_that_was_damaged_after_the_opening(
    desk, item, monkeypatch, change, where
):
    """And changes nothing."""
    case = confirmed(desk, item, monkeypatch, addresses=(PAGE,))
    desk.notify(case, "meta", by="amina", reason="x", at=NOON)
    with closing(sqlite3.connect(desk.folder / case_database.FILE_NAME)) as connection, connection:
        connection.execute(change)
    for doing in (lambda: desk.case(case), lambda: desk.reverse(case, by="amina", reason="x")):
        with pytest.raises(HotlineError, match=where.replace("{case}", case)):
            doing()


@pytest.mark.parametrize("calls", range(1, 9))
def test_an_interrupted_creation_is_completed_by_the_same_command(tmp_path, monkeypatch, calls):
    """Files that were filled in meanwhile stay."""
    folder, left = tmp_path / "hotline", [calls]

    def cut(function):
        def go(*values, **options):
            left[0] -= 1
            if not left[0]:
                raise Cut
            return function(*values, **options)

        return go

    with monkeypatch.context() as patched:
        for whose, name in (
            (store, "make_keys"), (store, "write_new"), (store.HashList, "create"),
            (store.case_database, "create"), (store.case_log, "write"),
            (store.own_list, "write"), (store.notifying, "deliver_pending"),
        ):  # fmt: skip
            patched.setattr(whose, name, cut(getattr(whose, name)))
        with pytest.raises(Cut):
            Desk.create(folder)
    with pytest.raises(HotlineError, match="completes it"):
        Desk.open(folder)
    if (folder / "settings.toml").exists():
        (folder / "settings.toml").write_text('analysts = ["amina", "badr"]\n')

    desk = Desk.create(folder)

    assert take(desk, report_of(addresses=(PAGE,)))[0].status == "new"
    assert len(desk.settings.analysts) == (2 if calls > 2 else 0)
    assert audit.verify(folder / "cases.audit").closed
    assert Desk.open(folder).cases()
    with pytest.raises(HotlineError, match="not empty"):
        Desk.create(folder)


def test_a_folder_with_other_files_does_not_become_a_hotline(tmp_path):
    """Nothing in it is touched."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "hotline.key").write_text("dear")
    (tmp_path / "file").write_text("dear")
    for name, why in (("mine", "not empty"), ("file", "no folder")):
        with pytest.raises(HotlineError, match=why):
            Desk.create(tmp_path / name)
    assert [one.name for one in (tmp_path / "mine").iterdir()] == ["hotline.key"]
    assert (tmp_path / "mine" / "hotline.key").read_text() == "dear"


def sign(desk, folder, name="audit"):
    """Let the settings name a new signing key; return its path."""
    key = folder / f"{name}.pem"
    new = Ed25519PrivateKey.generate()
    key.write_bytes(
        new.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    )
    public = new.public_key().public_bytes(
        form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / f"{name}.pub").write_bytes(public)
    settings = desk.folder / "settings.toml"
    kept = [one for one in settings.read_text().splitlines() if not one.startswith("log_key")]
    settings.write_text("\n".join([*kept, f"log_key = {json.dumps(str(key))}"]) + "\n")
    return key


@pytest.mark.parametrize("how", ["unsigned", "another key", "no signing key"])
def test_no_step_signs_a_log_that_somebody_may_have_changed(desk, tmp_path, how):
    """Cases can be read, but no step taken, until the log is moved away; then all steps are written
    anew.
    """
    sign(desk, tmp_path)
    (taken,) = take(desk, report_of(addresses=(PAGE,)))
    log, head = desk.folder / "cases.audit", desk.folder / "cases.audit.head"
    assert audit.verify(log, key=tmp_path / "audit.pub").signature == "good"
    if how == "unsigned":
        head.write_bytes(head.read_bytes().splitlines(keepends=True)[0])
    elif how == "another key":
        sign(desk, tmp_path, "other")
    else:
        settings = desk.folder / "settings.toml"
        settings.write_text('analysts = ["amina", "badr"]\n')
    before = log.read_bytes(), head.read_bytes()

    again = Desk.open(desk.folder)
    assert again.case(taken.case).addresses == (PAGE,)
    with pytest.raises(HotlineError, match="evidence"):
        again.assess(taken.case, by="amina", outcome="not_illegal", reason="x", at=NOON)
    assert (log.read_bytes(), head.read_bytes()) == before

    for one in (log, head):
        one.rename(tmp_path / one.name)
    again.assess(taken.case, by="amina", outcome="not_illegal", reason="x", at=NOON)
    assert audit.verify(log).closed
    steps = [json.loads(line).get("step") for line in log.read_text().splitlines()]
    assert steps == [None, "received", "assessed"]
    if how != "no signing key":
        name = "other" if how == "another key" else "audit"
        assert audit.verify(log, key=tmp_path / f"{name}.pub").signature == "good"


def test_a_missing_log_key_stops_only_writing(desk, tmp_path):
    """The message says what to do; lines of a killed process are written once the key is back."""
    key = sign(desk, tmp_path)
    made = key.read_bytes()
    (taken,) = take(desk, report_of(addresses=(PAGE,)))
    key.unlink()

    again = Desk.open(desk.folder)
    assert again.backlog.log is None
    assert again.case(taken.case).addresses == (PAGE,)
    assert again.overdue(at=NOON + timedelta(hours=25))
    with pytest.raises(HotlineError, match=r"audit\.pem.*log_key"):
        again.assess(taken.case, by="amina", outcome="not_illegal", reason="x", at=NOON)
    assert again.case(taken.case).state == "received"

    with store.case_database.begin_write(
        desk.folder
    ) as connection:  # as a writer that was killed after it
        store.casebook.log_step(connection, "left", at="x", by="x")
    assert "audit.pem" in str(Desk.open(desk.folder).backlog.log)
    key.write_bytes(made)
    assert Desk.open(desk.folder).backlog.log is None
    lines = (desk.folder / "cases.audit").read_text().splitlines()
    assert json.loads(lines[-1])["step"] == "left"
    assert audit.verify(desk.folder / "cases.audit").closed


def fetched(desk, monkeypatch, *, before):
    """Kill a delivery before it is marked, with a partner that moves away what it gets; return how
    often.
    """
    to, away = desk.folder / "to/meta", desk.folder.parent / "away"
    away.mkdir(exist_ok=True)
    mark = store.notifying._set_flag

    def stop(folder, notice, column):
        if column == before:
            raise Cut
        mark(folder, notice, column)

    with monkeypatch.context() as patched:
        patched.setattr(store.notifying, "_set_flag", stop)
        with pytest.raises(Cut):
            desk.notify(desk.cases()[0].reference, "meta", by="amina", reason="x", at=NOON)
    for _ in range(2):
        for number, one in enumerate(to.glob("N-*")):
            one.rename(away / f"{len(list(away.iterdir()))}-{number}")
        Desk.open(desk.folder)
    return sorted(away.iterdir())


@pytest.mark.parametrize("before", ["staged", "written"])
def test_a_notice_fetched_at_once_is_not_delivered_again(desk, item, monkeypatch, before):
    """If the process was killed before it was marked."""
    confirmed(desk, item, monkeypatch, addresses=(PAGE,))
    (one,) = fetched(desk, monkeypatch, before=before)
    assert (one / "notice.json").exists()
    assert [path.name for path in (desk.folder / "to/meta").iterdir()] == ["acknowledgements"]


def test_an_unmounted_folder_does_not_count_as_fetched(desk, item, monkeypatch):
    """The staged notice is delivered when the folder is back."""
    case = confirmed(desk, item, monkeypatch, addresses=(PAGE,))
    to = desk.folder / "to/meta"
    give = store.notifying.delivery.deliver
    with monkeypatch.context() as patched:
        patched.setattr(store.notifying.delivery, "deliver", end_here)
        with pytest.raises(Cut):
            desk.notify(case, "meta", by="amina", reason="x", at=NOON)
    assert store.notifying.delivery.deliver is give
    shutil.move(to, desk.folder / "elsewhere")
    to.mkdir()

    assert [one[:2] for one in Desk.open(desk.folder).backlog.notices] == [(case, "meta")]

    to.rmdir()
    shutil.move(desk.folder / "elsewhere", to)
    assert Desk.open(desk.folder).backlog.notices == []
    assert len(list(to.glob("N-*"))) == 1


def test_a_notice_waits_for_an_unmounted_folder(desk, item, monkeypatch):
    """Nothing is written into the empty mount point."""
    first, second = (
        confirmed(desk, one, monkeypatch, addresses=(f"{PAGE}/{number}",))
        for number, one in enumerate((item, item_of(IMAGES / "bridge.jpg")))
    )
    assert first != second
    desk.notify(first, "meta", by="amina", reason="x", at=NOON)
    to, away = desk.folder / "to", desk.folder / "elsewhere"
    to.rename(away)
    to.mkdir()

    with pytest.raises(HotlineError, match="mount"):
        desk.notify(second, "meta", by="amina", reason="x", at=NOON)

    assert [one[:2] for one in Desk.open(desk.folder).backlog.notices] == [(second, "meta")]
    assert list(to.iterdir()) == []
    to.rmdir()
    away.rename(to)
    assert Desk.open(desk.folder).backlog.notices == []
    assert len(list((to / "meta").glob("N-*"))) == 2


def test_an_invalid_answer_folder_affects_one_partner_only(desk, item, monkeypatch):
    """It is reported beside the others' answers."""
    case = confirmed(desk, item, monkeypatch, addresses=(PAGE,))
    for partner in ("meta", "tiktok"):
        desk.notify(case, partner, by="amina", reason="x", at=NOON)
    shutil.rmtree(desk.folder / "to/meta/acknowledgements")
    (desk.folder / "to/meta/acknowledgements").write_text("")
    (notice,) = (desk.folder / "to/tiktok").glob("N-*")
    facts = {"schema": "screener-acknowledgement/1", "notice": notice.name, "event": "removed"}
    facts |= {"at": NOON.isoformat(), "by": "duty"}
    (desk.folder / "to/tiktok/acknowledgements/a.json").write_text(json.dumps(facts))

    answers = desk.acknowledge(by="amina", at=NOON + timedelta(hours=1))

    assert [(partner, one.event) for partner, _, one in answers.new] == [("tiktok", "removed")]
    assert [(partner, one.file) for partner, one in answers.unread] == [
        ("meta", "acknowledgements")
    ]
    assert [one.partner for one in desk.case(case).sent if one.removed] == ["tiktok"]


def test_notices_to_removed_partners_wait(desk, item, monkeypatch):
    """Reading works; they are delivered once the partner is back."""
    case = confirmed(desk, item, monkeypatch, addresses=(PAGE,))
    with monkeypatch.context() as patched:
        patched.setattr(store.notifying.delivery, "stage", end_here)
        with pytest.raises(Cut):
            desk.notify(case, "meta", by="amina", reason="x", at=NOON)
    partners = desk.folder / "partners.toml"
    text = partners.read_text("utf-8")
    for known in (None, '[hotline]\nname = "x"\ncontact = "y"\n'):
        partners.unlink() if known is None else partners.write_text(known)
        again = Desk.open(desk.folder)
        assert [one[:2] for one in again.backlog.notices] == [(case, "meta")]
        assert again.case(case).state == "notified"
    partners.write_text(text, "utf-8")
    assert Desk.open(desk.folder).backlog.notices == []
    assert len(list((desk.folder / "to/meta").glob("N-*"))) == 1


def test_a_staged_notice_is_removed_if_the_case_is_reversed(desk, item, monkeypatch):
    """And the partner is not to be informed."""
    case = confirmed(desk, item, monkeypatch, addresses=(PAGE,))
    with monkeypatch.context() as patched:
        patched.setattr(
            store.notifying.delivery, "deliver",
            lambda folder, _: (_ for _ in ()).throw(HotlineError("x")),
        )  # fmt: skip
        with pytest.raises(HotlineError):
            desk.notify(case, "meta", by="amina", reason="x", at=NOON)
        assert [one.name for one in (desk.folder / "to/meta").glob(".N-*")]
        assert desk.reverse(case, by="chloé", reason="x", at=NOON).sent == ()
    assert [one.name for one in (desk.folder / "to/meta").iterdir()] == ["acknowledgements"]


LEVEL = 'tlp = "GREEN"'


@pytest.mark.parametrize(
    ("before", "after", "level"),
    [(LEVEL, 'tlp = "RED"', "RED"), (LEVEL, "", None), ("", LEVEL, "GREEN"), ("", "", None)],
)
def test_a_changed_tlp_applies_to_listed_hashes(
    desk, item, monkeypatch, tmp_path, before, after, level
):
    """From the next opening on, also if it is removed."""
    path = desk.folder / "partners.toml"
    text = path.read_text("utf-8")
    path.write_text(text.replace(LEVEL, before), "utf-8")
    confirmed(desk, item, monkeypatch, addresses=(PAGE,))
    path.write_text(text.replace(LEVEL, after), "utf-8")

    again = Desk.open(desk.folder)

    assert again.backlog.terms is None
    assert again.own_list.terms().get("hotline", Terms()) == Terms(tlp=level)
    assert again.own_list.terms()["reports"] == Terms(tlp="RED", redistribution=False)
    wanted = {"format": "tx", "audience": "community", "sources": ["hotline"]}
    if level == "GREEN":
        assert again.own_list.export(tmp_path / "out.txt", **wanted).records
    else:
        with pytest.raises(ListError, match="nothing may go on"):
            again.own_list.export(tmp_path / "out.txt", **wanted)


def test_a_list_in_use_is_waited_for_once(desk, monkeypatch):
    """Not for each record."""
    monkeypatch.setattr(lists, "WAIT_SECONDS", 0.0)
    waited, made = [], own_list._import
    monkeypatch.setattr(
        own_list, "_import", lambda *values: (waited.append(len(values[2])), made(*values))[1]
    )
    pictures = [item_of(IMAGES / f"{name}.jpg") for name in ("alley", "bridge")]
    with lock_file(desk.folder / "hotline.list" / "lock", seconds=0):
        take(desk, *map(report_of, pictures))
        waited.clear()
        again = Desk.open(desk.folder)
    assert waited == [2]
    assert len(again.backlog.records) == 2
    assert Desk.open(desk.folder).backlog.records == []


def test_other_terms_of_own_hashes_stay(desk, item, monkeypatch):
    """Such as an expiry, through openings and changes of level."""
    confirmed(desk, item, monkeypatch, addresses=(PAGE,))
    desk.own_list.set_terms("hotline", Terms(expires="2030-12-31"))
    path = desk.folder / "partners.toml"
    path.write_text(path.read_text("utf-8").replace('tlp = "GREEN"', 'tlp = "AMBER"'), "utf-8")

    assert Desk.open(desk.folder).own_list.terms()["hotline"] == Terms("AMBER", None, "2030-12-31")


def test_a_sharing_level_that_cannot_be_written_stays_in_the_backlog(desk, item, monkeypatch):
    """Reading works; a later opening writes it."""
    case = confirmed(desk, item, monkeypatch, addresses=(PAGE,))
    path = desk.folder / "hotline.list"
    path.rename(desk.folder / "elsewhere")
    again = Desk.open(desk.folder)
    assert again.backlog.terms is not None
    assert again.case(case).outcome == "illegal"
    (desk.folder / "elsewhere").rename(path)
    assert Desk.open(desk.folder).backlog.terms is None


def test_a_picture_that_is_reported_very_often_stays_one_case(desk, item, monkeypatch):
    """And confirmed items go on matching."""
    monkeypatch.setattr(repeated_values, "MIN_FILES", 4)

    def variant(n):
        return Item(
            item.type, item.is_clip,
            tuple(
                one._replace(hash=Hash(one.hash.kind, n.to_bytes(len(one.hash.value), "big")))
                if one.hash.kind.digest else one
                for one in item.hashes
            ),
        )  # fmt: skip

    took = take(desk, *(report_of(variant(n)) for n in range(1, 10)))

    assert {one.case for one in took} == {took[0].case}
    assert desk.own_list.quarantined()[1] == []
    for n in range(20, 26):
        desk.close(
            confirmed(desk, variant(n), monkeypatch), state="removed", by="amina", reason="x",
            at=NOON,
        )  # fmt: skip
    (known,) = take(desk, report_of(item))
    assert {
        (one.list, one.source, one.state) for one in known.list_matches if one.kind == "pdq"
    } == {("hotline", "hotline", "confirmed")}
    assert desk.own_list.quarantined()[1] == []
