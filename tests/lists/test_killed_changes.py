"""Every change of a list, killed at random moments: it is made, or it is not.

SCREENER_KILLS sets how many times each; 200 were run of each before this was first kept.
"""

import json
import os
import subprocess
import sys

import pytest
from list_values import value
from paths import PROGRAMS

from screener import HashList

KILLS = int(os.environ.get("SCREENER_KILLS", "2"))


@pytest.mark.parametrize("change", ["import", "opinion", "rollback", "purge", "release"])
def test_killed_at_a_random_moment_a_list_is_at_one_generation_or_the_other(tmp_path, change):
    """Never between, nothing acknowledged lost, every byte verified; the same change then works."""
    folder = tmp_path / "known.list"
    one = HashList.create(folder)
    file = tmp_path / "file.csv"
    for source, first, count in (("mine", 0, 800), ("other", 2000, 800), ("mine", 400, 800)):
        rows = [f"a{n},{value(n)},{value(n, 32)}\n" for n in range(first, first + count)]
        file.write_text(f"id,md5,pdq\n{''.join(rows)}x{first},{value(7777)},zz\n")
        one.import_file(file, source=source)
    # More than one batch of an import, with changes, withdrawals and damage.
    lines = [f"a{n},{value(n + n % 3)},{value(n, 32)},\n" for n in range(600, 6600)]
    lines += [f"a{n},,,withdrawn\n" for n in range(0, 300, 3)]
    file.write_text(f"id,md5,pdq,status\n{''.join(lines)}y,zz,,\n")
    script = PROGRAMS / "kill_at_random.py"

    done = subprocess.run(
        [sys.executable, script, folder, change, str(KILLS), "1", file],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["kills"] == KILLS
    print(change, told)
