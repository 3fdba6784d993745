"""Every step of a hotline's cases, killed at random moments: it is taken, or it is not.

SCREENER_KILLS sets how many times each.
"""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hotlines import IMAGES, NOON, item_of, make_desk, report_of, sealed_file, take

from screener.hotline import own_media
from screener.hotline.report import Withdrawal
from screener.hotline.secret import Secret

KILLS = int(os.environ.get("SCREENER_KILLS", "3"))
PICTURES = ("alley.jpg", "bridge.jpg", "harbour.jpg", "market.jpg", "withdrawn.jpg")


def say(desk, notice, event, at):
    """A partner's answer, as it writes it."""
    facts = {"schema": "screener-acknowledgement/1", "notice": notice.notice, "event": event}
    facts |= {"at": at.isoformat(), "by": "duty"}
    file = (
        desk.folder / "to" / notice.partner / "acknowledgements" / f"{notice.notice}-{event}.json"
    )
    file.write_text(json.dumps(facts))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A hotline with a case for each step, and files that are to be taken in."""
    folder = tmp_path_factory.mktemp("killed") / "base"
    folder.mkdir()
    desk = make_desk(folder / "hotline")
    items, secret = [item_of(IMAGES / name) for name in PICTURES], Secret.make()
    for number, item in enumerate(items[:4]):
        address = f"https://x.example/{number}"
        take(desk, report_of(item, addresses=(address,), secret=secret if number == 0 else None))
    cases = [one.reference for one in desk.cases()]
    with pytest.MonkeyPatch.context() as patched:
        for number, case in enumerate(cases):
            patched.setattr(own_media, "make_whole", lambda files, n=number: ((items[n],), ()))
            desk.assess(case, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)
            if number:
                desk.assess(case, by="badr", outcome="illegal", reason="x", at=NOON)
    for case in cases[2:]:
        for partner in ("meta", "tiktok"):
            desk.notify(case, partner, by="amina", reason="x", at=NOON)
    for notice in desk.case(cases[2]).sent:
        say(desk, notice, "acknowledged", NOON + timedelta(hours=1))
        say(desk, notice, "removed", NOON + timedelta(hours=2))
    (folder / "new").mkdir()
    new = [report_of(items[1]), report_of(items[4]), report_of(items[4], addresses=("a",)),
           Withdrawal(secret.withdrawal)]  # fmt: skip
    for number, one in enumerate(new):
        sealed_file(desk, one, f"new/{number}")
    for path in folder.glob("in-*"):
        path.unlink()
    return folder


@pytest.mark.parametrize("step", ["take", "assess", "notify", "answer"])
def test_killed_at_a_random_moment_no_case_is_lost_nor_any_notice_written_twice(base, step):
    """Whatever was interrupted is completed on the next opening, once; the same step then works."""
    script = Path(__file__).with_name("kill_a_case.py")

    done = subprocess.run(
        [sys.executable, script, base, step, str(KILLS), "1"],
        capture_output=True,
        text=True,
        check=False,
    )

    for name in ("trial", "done"):
        subprocess.run(["rm", "-rf", base.with_name(name)], check=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["kills"] == KILLS
    print(step, told)
