"""Options of the operator for reading a file: its source, scheme, state and columns."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from screener.arguments import check_line
from screener.errors import ListError
from screener.lists.formats.mapping import ColumnMapping
from screener.lists.states import State

_ALLOWED_STATES = (State.CONFIRMED, State.DISPUTED, State.SEED, State.KNOWN_GOOD)


@dataclass(frozen=True)
class Options:
    """How to read a file.

    `source`: the name of the source.
    `scheme`: the scheme of its categories, if the file names none.
    `state`: the state of every row that would match: `known_good` for an exclude list, `seed` for
    leads.
    `mapping`: the columns of a contract's own CSV.
    `id_column`, `ids_from_hashes`, `ignore_columns`, `ignore_unknown_columns`: see
    `HashList.import_file`; for a CSV alone.
    `guessed`: whether `source` is the file's name because the operator named none.
    """

    source: str
    scheme: str | None = None
    state: State | None = None
    mapping: ColumnMapping | None = None
    guessed: bool = False
    id_column: str | None = None
    ids_from_hashes: bool = False
    ignore_columns: tuple[str, ...] = ()
    ignore_unknown_columns: bool = False

    @property
    def mapping_names_columns(self) -> bool:
        """Whether a mapping defines the columns of a CSV."""
        return self.mapping is not None and bool(self.mapping.columns)


def build_options(
    path: Path,
    source: str | None,
    scheme: str | None,
    state: str | None,
    mapping: str | PathLike[str] | None,
    **columns: Any,
) -> Options:
    """Return the options for the file at `path`, with those of its columns.

    Raises ListError if they are invalid.
    """
    if state is not None and state not in _ALLOWED_STATES:
        raise ListError(f"state must be one of: {', '.join(_ALLOWED_STATES)}")
    if scheme is not None:
        check_line("a scheme's name", scheme)
    return Options(
        path.stem if source is None else source,
        scheme,
        None if state is None else State(state),
        None if mapping is None else ColumnMapping.load(Path(mapping)),
        guessed=source is None,
        **columns,
    )
