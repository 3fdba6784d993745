"""Import the made-up list, screen a mirrored picture, and print the kernel that found the match.

python tests/programs/first_match.py FOLDER: a new folder for the list.
"""

import sys
from pathlib import Path

from screener import HashList, Screener, _core

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"

hash_list = HashList.create(Path(sys.argv[1]))
hash_list.import_file(FIXTURES / "known.csv", source="demo")
result = Screener(hash_list.refresh()).screen(FIXTURES / "images/kiosk-mirrored.jpg")
found = [(match.entry, match.kind, match.distance) for match in result.matches]
assert (result.verdict, found) == ("match", [("demo-0003", "pdq", 2)]), (result.verdict, found)
print(_core.KERNEL)
