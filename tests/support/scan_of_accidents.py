"""A scan of files that crash, hang or exhaust a worker."""

import json
import subprocess
import sys

from paths import PROGRAMS

ACCIDENTS = PROGRAMS / "scan_with_accidents.py"


def accidents(known, folder, jobs, *stop_after):
    """Run the scan of scan_with_accidents.py; its results and the finished process."""
    call = [sys.executable, str(ACCIDENTS), str(known.path), str(folder), str(jobs), *stop_after]
    done = subprocess.run(call, capture_output=True, text=True, timeout=120)
    return [json.loads(line) for line in done.stdout.splitlines()], done
