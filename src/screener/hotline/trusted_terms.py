"""Keep the terms of hashes from trusted lists as these lists state them now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from screener.errors import HotlineError
from screener.hotline.casebook import assessing, case_database, casebook
from screener.hotline.open_list import translate_list_errors
from screener.hotline.settings import Settings
from screener.lists.hashlist import HashList
from screener.lists.terms import Terms, intersect_terms

_META = "granted"  # the row with the states of the lists at the last update


def update(folder: Path, settings: Settings) -> None:
    """Update the stored terms of hashes from trusted lists, and queue changed records.

    Hashes that a list no longer confirms keep their terms, as do those of an unreachable list;
    `concerns` reports both. Does nothing if the lists have not changed since the last update.
    """
    with case_database.begin_read(folder) as connection:
        rows = connection.execute("SELECT DISTINCT in_case FROM held WHERE terms IS NOT NULL")
        references = [reference for (reference,) in rows]
        last = connection.execute("SELECT value FROM meta WHERE name = ?", (_META,)).fetchone()
    if not references:
        return
    states = _list_states(settings)
    stamp = json.dumps([[str(path), state] for path, state in states.items()])
    if last == (stamp,):
        return
    current = _current_terms(folder, references, replace(settings, trusted=tuple(states)))
    with case_database.begin_write(folder) as connection:
        for (reference, origin), terms in current.items():
            changed = connection.execute(
                "UPDATE held SET terms = ? WHERE in_case = ? AND origin = ? AND terms <> ?",
                (terms, reference, origin, terms),
            ).rowcount
            if changed:
                connection.execute(
                    "UPDATE entries SET written = 0 WHERE in_case = ? AND report IS NULL",
                    (reference,),
                )
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_META, stamp))


def _current_terms(
    folder: Path, references: Sequence[str], settings: Settings
) -> dict[tuple[str, str], str]:
    terms: dict[tuple[str, str], list[Terms]] = {}
    for reference in references:
        with case_database.begin_read(folder) as connection:
            case = casebook.load_case(connection, reference)
        for one in assessing.confirmed_hashes(case, settings):
            terms.setdefault((reference, one.origin), []).append(one.terms or Terms())
    return {key: casebook.encode_terms(intersect_terms(several)) for key, several in terms.items()}


def _list_states(settings: Settings) -> Mapping[Path, object]:
    states: dict[Path, object] = {}
    for path in settings.trusted:
        try:
            with translate_list_errors(path):
                trusted = HashList.open(path)
                terms = {source: one.to_dict() for source, one in sorted(trusted.terms().items())}
        except HotlineError:
            continue
        states[path] = [trusted.generation, terms]
    return states
