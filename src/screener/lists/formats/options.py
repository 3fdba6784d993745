"""What the operator says of a file that the file does not: its source, scheme, state, columns."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from screener.arguments import check_line
from screener.errors import ListError
from screener.lists.formats.mapping import ColumnMapping
from screener.lists.states import State

_STATES = (State.CONFIRMED, State.DISPUTED, State.SEED, State.KNOWN_GOOD)


@dataclass(frozen=True)
class Options:
    """How to read a file.

    `source` is who says so. `scheme` is whose categories a file has that does not say. `state`
    is that of every row that the file itself would make a match, where the file is of another
    sort than its format tells: `known_good` for an exclude list, `seed` for leads. `mapping`
    names the columns of a contract's own CSV. `guessed`: nobody named the source, and it is called
    as the file is.
    """

    source: str
    scheme: str | None = None
    state: State | None = None
    mapping: ColumnMapping | None = None
    guessed: bool = False

    @property
    def mapping_names_columns(self) -> bool:
        """Whether a mapping says what the columns of a CSV mean."""
        return self.mapping is not None and bool(self.mapping.columns)


def options_of(
    path: Path,
    source: str | None,
    scheme: str | None,
    state: str | None,
    mapping: str | PathLike[str] | None,
) -> Options:
    """What is said of the file at `path`; ListError where it cannot be."""
    if state is not None and state not in _STATES:
        raise ListError(f"the state of a file's rows is one of: {', '.join(_STATES)}")
    if scheme is not None:
        check_line("a scheme's name", scheme)
    return Options(
        path.stem if source is None else source,
        scheme,
        None if state is None else State(state),
        None if mapping is None else ColumnMapping.load(Path(mapping)),
        guessed=source is None,
    )
