"""Notices: written into a partner's folder, for its machines (JSON) and for its people (plain text
and HTML, in each of its languages). docs/hotline.md describes the folder and the JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from screener.hotline import delivery, notice_pages
from screener.hotline.case import Case
from screener.hotline.language import translator
from screener.hotline.notice import Held, Notice, make
from screener.hotline.partners import Hotline, Partner

__all__ = ["Held", "Notice", "files_of", "make", "stage"]


def stage(
    case: Case, partner: Partner, *, hotline: Hotline, at: datetime, notice: str,
    hashes: Sequence[Held] = (), first: bool = True,
) -> None:  # fmt: skip
    """Have a notice lie ready in the partner's folder, for `delivery.give`.

    Where a notice of that id lies there already, of the same case, it stays as it is: whoever was
    killed after writing writes it again without writing it twice. HotlineError as for `make`, where
    another notice has that id, where it cannot be written, and where it is not the partner's
    `first` and the folder is out of reach.
    """
    made = make(case, partner, hotline=hotline, at=at, notice=notice, hashes=hashes)
    delivery.stage(partner.folder, made.id, made.case, files_of(made), first=first)


def files_of(notice: Notice) -> dict[str, str]:
    """The texts of a notice by file name."""
    # All of it in ASCII: what turns or hides text in an address is seen by whoever opens the file.
    found = {"notice.json": json.dumps(notice.to_dict(), indent=2) + "\n"}
    for language in notice.partner.languages:
        say = translator(language)
        found[f"notice.{language}.txt"] = notice_pages.text_of(notice, say)
        found[f"notice.{language}.html"] = notice_pages.html_of(notice, say)
    return found
