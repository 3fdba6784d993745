"""Write the files of this version that later ones must open: `python scripts/release_files.py`.

Run it once for each release, and commit the folder `tests/upgrades/VERSION` as it is. A folder
that exists is never written again.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from released_files import release  # noqa: E402

from screener import __version__  # noqa: E402

folder = ROOT / "tests" / "upgrades" / __version__
if folder.exists():
    sys.exit(f"{folder} exists: what a release wrote is not written again")
release(folder)
