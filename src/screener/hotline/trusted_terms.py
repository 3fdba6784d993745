"""Granted: the terms by which trusted lists now let go on the hashes that a case has of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from screener.errors import HotlineError
from screener.hotline.casebook import assessing, casebook, database
from screener.hotline.open_list import list_errors
from screener.hotline.settings import Settings
from screener.lists.hashlist import HashList
from screener.lists.terms import Terms, strictest

_SEEN = "granted"  # what trusted lists said when they were last followed


def update(folder: Path, settings: Settings) -> None:
    """Bring the terms that the casebook has of hashes of trusted lists to what these lists say now,
    and have records whose terms have changed be written anew. What a list does not confirm any more
    keeps its terms, and so does all of a list that is out of reach: `concerns` tells of both.

    Lists that are as they were the last time are not gone through again.
    """
    with database.reading(folder) as connection:
        rows = connection.execute("SELECT DISTINCT in_case FROM held WHERE terms IS NOT NULL")
        references = [reference for (reference,) in rows]
        seen = connection.execute("SELECT value FROM meta WHERE name = ?", (_SEEN,)).fetchone()
    if not references:
        return
    said = _list_states(settings)
    stamp = json.dumps([[str(path), one] for path, one in said.items()])
    if seen == (stamp,):
        return
    granted = _current_terms(folder, references, replace(settings, trusted=tuple(said)))
    with database.writing(folder) as connection:
        for (reference, origin), terms in granted.items():
            changed = connection.execute(
                "UPDATE held SET terms = ? WHERE in_case = ? AND origin = ? AND terms <> ?",
                (terms, reference, origin, terms),
            ).rowcount
            if changed:
                connection.execute(
                    "UPDATE entries SET written = 0 WHERE in_case = ? AND report IS NULL",
                    (reference,),
                )
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_SEEN, stamp))


def _current_terms(
    folder: Path, references: Sequence[str], settings: Settings
) -> dict[tuple[str, str], str]:
    """The terms as JSON, of each case and of where its hashes are from."""
    found: dict[tuple[str, str], list[Terms]] = {}
    for reference in references:
        with database.reading(folder) as connection:
            case = casebook.load_case(connection, reference)
        for one in assessing.confirmed_hashes(case, settings):
            found.setdefault((reference, one.origin), []).append(one.terms or Terms())
    return {key: casebook.terms_to_json(strictest(several)) for key, several in found.items()}


def _list_states(settings: Settings) -> Mapping[Path, object]:
    """By which state of each trusted list that is in reach, and by which terms of its sources."""
    found: dict[Path, object] = {}
    for path in settings.trusted:
        try:
            with list_errors(path):
                trusted = HashList.open(path)
                terms = {source: one.to_dict() for source, one in sorted(trusted.terms().items())}
        except HotlineError:
            continue
        found[path] = [trusted.generation, terms]
    return found
