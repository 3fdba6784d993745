"""Update the stored terms of hashes from trusted lists."""

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

# The row of `meta` with the states of the lists at the last update.
_META_NAME = "granted"


def update(folder: Path, settings: Settings) -> None:
    """Update the stored terms of hashes from trusted lists, and queue changed records.

    Hashes keep their terms if a list no longer confirms them or cannot be read; `concerns` reports
    both. Does nothing if the lists have not changed since the last update.
    """
    with case_database.begin_read(folder) as connection:
        rows = connection.execute("SELECT DISTINCT in_case FROM held WHERE terms IS NOT NULL")
        references = [reference for (reference,) in rows]
        last_stamp = connection.execute(
            "SELECT value FROM meta WHERE name = ?", (_META_NAME,)
        ).fetchone()
    if not references:
        return
    states = _read_list_states(settings)
    stamp = json.dumps([[str(path), state] for path, state in states.items()])
    if last_stamp == (stamp,):
        return
    current = _read_current_terms(folder, references, replace(settings, trusted=tuple(states)))
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
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_META_NAME, stamp))


def _read_current_terms(
    folder: Path, references: Sequence[str], settings: Settings
) -> dict[tuple[str, str], str]:
    terms: dict[tuple[str, str], list[Terms]] = {}
    for reference in references:
        with case_database.begin_read(folder) as connection:
            case = casebook.load_case(connection, reference)
        for trusted_hash in assessing.read_confirmed_hashes(case, settings):
            terms.setdefault((reference, trusted_hash.origin), []).append(
                trusted_hash.terms or Terms()
            )
    return {
        key: casebook.encode_terms(intersect_terms(all_terms)) for key, all_terms in terms.items()
    }


def _read_list_states(settings: Settings) -> Mapping[Path, object]:
    states: dict[Path, object] = {}
    for path in settings.trusted:
        try:
            with translate_list_errors(path):
                trusted = HashList.open(path)
                terms = {
                    source: terms.to_dict() for source, terms in sorted(trusted.terms().items())
                }
        except HotlineError:
            continue
        states[path] = [trusted.generation, terms]
    return states
