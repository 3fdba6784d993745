"""A mapping file: what the columns of a contract's own CSV mean, in TOML, written by its receiver.

    delimiter = ";"                      # , ; or "tab"; told from the header where left out
    header = true                        # false where the first line is data already
    scheme = "operator:example"          # whose categories these are

    [columns]                            # by name, or by number from 1 without a header
    Ref = "entry"
    Hash1 = "md5"                        # a kind of hash
    Hash2 = "pdq"
    Detail = "pdq_quality"
    Grade = { field = "category", scheme = "uk-sentencing-council" }
    Status = { field = "state", withdrawn = ["removed", "out"], confirmed = ["live"] }
    Changed = "updated"
    Sharing = "tlp"                      # how far a row may go; "expires" and "redistribution" too
    Notes = "drop"                       # not kept; columns not named are kept as labels

The name of a column is compared without case and without what surrounds it. Every column named
must be there, lest a renamed one should go unread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

from screener.errors import ListError
from screener.hashing.hash import KINDS
from screener.lists import terms
from screener.lists.formats.cells import cleaned
from screener.lists.formats.content import Lines
from screener.lists.formats.csv_rows import Delimiter, first_row
from screener.lists.formats.header import STATES, Header, check_text, names_of
from screener.lists.formats.kind_names import folded
from screener.lists.redaction import may_hold_hash
from screener.lists.states import State
from screener.system import files

_KEYS = {"delimiter", "header", "scheme", "columns", "states"}
_FIELDS = {"entry", "category", "category_scheme", "state", "updated", "label", "drop", *KINDS}
_FIELDS.update(terms.LABELS)
_FIELDS |= {f"{name}_quality" for name, kind in KINDS.items() if kind.perceptual}
_SYNONYMS = {"entry_id": "entry", "id": "entry", "status": "state", "updated_at": "updated"}
_DELIMITERS: Mapping[str, Delimiter] = {",": ",", ";": ";", "\t": "\t", "tab": "\t"}
_ONCE = {"entry", "state", "updated", "category_scheme", *terms.LABELS}


class Column(NamedTuple):
    """What one column means."""

    field: str
    scheme: str | None = None
    states: Mapping[str, State] = MappingProxyType({})


@dataclass(frozen=True)
class ColumnMapping:
    """The columns of a file, by folded name, or by number from 1 where it has no header.

    `states` are those of a format's own category codes: see `vics.py`.
    """

    columns: Mapping[str, Column]
    delimiter: Delimiter | None = None
    header: bool = True
    scheme: str | None = None
    states: Mapping[str, State] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> ColumnMapping:
        """Read a mapping file; ListError says what is wrong in it."""
        try:
            said = files.read_toml(path)
        except OSError as error:
            raise ListError(f"cannot read {path}: {error.strerror}") from error
        except ValueError as error:
            raise ListError(f"{path.name} is not TOML: {error}") from None
        try:
            return cls.from_dict(said)
        except ListError as error:
            raise ListError(f"{path.name}: {error}") from None

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> ColumnMapping:
        """Read the tables of a mapping file; ListError says what is wrong in them."""
        unknown = sorted(set(said) - _KEYS)
        if unknown:
            raise ListError(f"unknown key {unknown[0]!r}; one of: {', '.join(sorted(_KEYS))}")
        word = said.get("delimiter")
        if word is not None and word not in _DELIMITERS:
            raise ListError('delimiter is ",", ";" or "tab"')
        header = said.get("header", True)
        if not isinstance(header, bool):
            raise ListError("header is true or false")
        columns = _table(said, "columns")
        mapped: dict[str, Column] = {}
        for name, value in columns.items():
            if _folded(name) in mapped:
                raise ListError(
                    f"column {name!r} is named twice, in other case or with other spaces: they are"
                    " one column"
                )
            mapped[_folded(name)] = _column(name, value)
        _check(mapped, header)
        states = {str(code): _state(word) for code, word in _table(said, "states").items()}
        return cls(
            mapped,
            None if word is None else _DELIMITERS[word],
            header,
            _text(said, "scheme"),
            states,
        )

    def header_in(self, lines: Lines) -> Header:
        """Which column says what; reads the header line where there is one. ListError."""
        if not any(column.field in KINDS for column in self.columns.values()):
            raise ListError("the mapping names no column that holds a kind of hash")
        first = first_row(lines)
        if first is None:
            raise ListError("it has no row that can be read")
        if not self.header:
            lines.put_back([first])
            return self._without_names(first[1])
        check_text(first[1])
        gone = set(self.columns)
        for delimiter in (self.delimiter,) if self.delimiter else get_args(Delimiter):
            names = names_of(first[1], delimiter)
            missing = self.columns.keys() - map(_folded, names or ())
            if names is not None and not missing:
                return self._planned(delimiter, names)
            gone = min(gone, missing, key=len)
        told = ", ".join(repr(name) for name in sorted(gone) if not may_hold_hash(name))
        raise ListError(
            f"its header does not have every column that the mapping names{told and f': no {told}'}"
        )

    def _without_names(self, line: str) -> Header:
        marks: tuple[Delimiter, ...] = get_args(Delimiter)
        counts = {line.count(mark): mark for mark in reversed(marks)}
        delimiter = self.delimiter or counts[max(counts)]
        width = max(len(line.split(delimiter)), *(int(name) for name in self.columns))
        return self._planned(delimiter, [str(number + 1) for number in range(width)])

    def _planned(self, delimiter: Delimiter, names: list[str]) -> Header:
        found: dict[str, list[int]] = {}
        labels = []
        for place, name in enumerate(names):
            column = self.columns.get(_folded(name), Column("label"))
            if column.field == "label":
                labels.append((name or f"column {place + 1}", place))
            elif column.field in terms.LABELS:
                labels.append((column.field, place))
            else:
                found.setdefault(column.field, []).append(place)
        if len({name for name, _ in labels}) < len(labels):
            raise ListError("two columns kept as labels have one name")

        def only(field: str) -> int | None:
            return found[field][0] if field in found else None

        return Header(
            delimiter if len(names) > 1 else None,
            len(names),
            tuple(
                (kind, place, only(f"{name}_quality"))
                for name, kind in KINDS.items()
                for place in found.get(name, ())
            ),
            tuple(labels),
            only("entry"),
            only("state"),
            only("updated"),
            tuple(
                (place, self._scheme_of(names[place]), only("category_scheme"))
                for place in found.get("category", ())
            ),
            self._states(),
            names=tuple(map(folded, names)) if self.header else (),
        )

    def _scheme_of(self, name: str) -> str | None:
        return self.columns[_folded(name)].scheme or self.scheme

    def _states(self) -> Mapping[str, State]:
        for column in self.columns.values():
            if column.states:
                return {**STATES, **column.states}
        return STATES


def _folded(name: str) -> str:
    return cleaned(name).casefold()


def _table(said: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = said.get(key, {})
    if not isinstance(table, dict):
        raise ListError(f"{key} is a table")
    return table


def _text(said: Mapping[str, Any], key: str) -> str | None:
    value = said.get(key)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise ListError(f"{key} is a text")
    return value


def _state(word: object) -> State:
    try:
        return State(str(word))
    except ValueError:
        raise ListError(f"unknown state; one of: {', '.join(State)}") from None


def _column(name: str, said: object) -> Column:
    if isinstance(said, str):
        said = {"field": said}
    if not isinstance(said, dict):
        raise ListError(f"column {name!r} is a text or a table")
    said = dict(said)
    said.pop("encoding", None)  # every encoding of a kind is read
    word = said.pop("field", None)
    if word == "hash":
        word = said.pop("algorithm", said.pop("kind", None))
    word = _SYNONYMS.get(word, word) if isinstance(word, str) else None
    if word not in _FIELDS:
        raise ListError(f"column {name!r} means one of: {', '.join(sorted(_FIELDS))}")
    scheme = _text(said, "scheme")
    said.pop("scheme", None)
    states: dict[str, State] = {}
    for key, values in said.items():
        state = _state(key.removesuffix("_values").replace("deleted", "withdrawn"))
        if word != "state" or not isinstance(values, list):
            raise ListError(f"column {name!r}: {key} is a list of words, of the state's column")
        for value in values:
            states[_folded(str(value)).replace(" ", "_").replace("-", "_")] = state
    return Column(word, scheme, states)


def _check(columns: Mapping[str, Column], header: bool) -> None:
    fields = [column.field for column in columns.values()]
    for field_ in _ONCE | {f"{name}_quality" for name in KINDS}:
        if fields.count(field_) > 1:
            raise ListError(f"two columns mean {field_}")
    # Of thousands of digits Python makes no number.
    if not header and not all(name.isdecimal() and len(name) < 5 and int(name) for name in columns):
        raise ListError("without a header, columns are named by their number from 1")
