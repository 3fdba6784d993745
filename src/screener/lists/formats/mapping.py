"""A TOML mapping file, which defines the columns of a contract's own CSV.

    delimiter = ";"                      # , ; or "tab" (default: detected from the header)
    header = true                        # false if the first line is data
    scheme = "operator:example"          # the scheme of the categories

    [columns]                            # by name, or by number from 1 without a header
    Ref = "entry"
    Hash1 = "md5"                        # a kind of hash
    Hash2 = "pdq"
    Detail = "pdq_quality"
    Grade = { field = "category", scheme = "uk-sentencing-council" }
    Status = { field = "state", withdrawn = ["removed", "out"], confirmed = ["live"] }
    Changed = { field = "updated", date_format = "%d.%m.%Y" }    # default: ISO 8601
    Sharing = "tlp"                      # the row's own terms; "expires" and "redistribution" too
    Notes = "drop"                       # not stored; "label" stores a column as it is

Case, quotes and spaces around column names do not matter. Every named column must exist, and every
column must be named, so that a renamed or new column cannot go unread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

from screener.errors import ListError
from screener.hashing.hash import KINDS
from screener.lists import terms
from screener.lists.formats.cells import clean_cell
from screener.lists.formats.content import Lines
from screener.lists.formats.csv_rows import Delimiter, find_first_row
from screener.lists.formats.header import (
    STATES,
    Header,
    check_text,
    describe_missing,
    is_known_label,
    name_columns,
    read_date,
    split_names,
)
from screener.lists.formats.kind_names import fold_name
from screener.lists.states import State
from screener.system import files

_ALLOWED_KEYS = {"delimiter", "header", "scheme", "columns", "states"}
_FIELD_NAMES = {"entry", "category", "category_scheme", "state", "updated", "label", "drop", *KINDS}
_FIELD_NAMES.update(terms.LABELS)
_FIELD_NAMES |= {f"{name}_quality" for name, kind in KINDS.items() if kind.perceptual}
_FIELD_SYNONYMS = {"entry_id": "entry", "id": "entry", "status": "state", "updated_at": "updated"}
_DELIMITER_BY_WORD: Mapping[str, Delimiter] = {",": ",", ";": ";", "\t": "\t", "tab": "\t"}
_SAMPLE = datetime(2033, 11, 22)
_SINGLE_FIELDS = {"entry", "state", "updated", "category_scheme", *terms.LABELS}


class Column(NamedTuple):
    """The meaning of one column."""

    field: str
    scheme: str | None = None
    states: Mapping[str, State] = MappingProxyType({})
    date_format: str | None = None
    name: str = ""  # as written


@dataclass(frozen=True)
class ColumnMapping:
    """The columns of a file, by folded name or, without a header, by number from 1.

    `states` maps a format's own category codes: see `vics.py`.
    """

    columns: Mapping[str, Column]
    delimiter: Delimiter | None = None
    header: bool = True
    scheme: str | None = None
    states: Mapping[str, State] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> ColumnMapping:
        """Read a mapping file; raise ListError if it is missing or invalid."""
        try:
            settings = files.read_toml(path)
        except OSError as error:
            raise ListError(f"cannot read {path}: {error.strerror}") from error
        except ValueError as error:
            raise ListError(f"{path.name} is not TOML: {error}") from None
        try:
            return cls.from_dict(settings)
        except ListError as error:
            raise ListError(f"{path.name}: {error}") from None

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> ColumnMapping:
        """Read the tables of a mapping file; raise ListError if they are invalid."""
        unknown = sorted(set(settings) - _ALLOWED_KEYS)
        if unknown:
            raise ListError(
                f"unknown key {unknown[0]!r}; one of: {', '.join(sorted(_ALLOWED_KEYS))}"
            )
        word = settings.get("delimiter")
        if word is not None and word not in _DELIMITER_BY_WORD:
            raise ListError('delimiter must be ",", ";" or "tab"')
        header = settings.get("header", True)
        if not isinstance(header, bool):
            raise ListError("header must be true or false")
        columns = _get_table(settings, "columns")
        mapped: dict[str, Column] = {}
        for name, value in columns.items():
            if _fold_name(name) in mapped:
                raise ListError(
                    f"column {name!r} is named twice, in different case or with different spaces;"
                    " that is one column"
                )
            mapped[_fold_name(name)] = _parse_column(name, value)._replace(name=name)
        _check_columns(mapped, header)
        states = {
            str(code): _parse_state(word) for code, word in _get_table(settings, "states").items()
        }
        return cls(
            mapped,
            None if word is None else _DELIMITER_BY_WORD[word],
            header,
            _get_text(settings, "scheme"),
            states,
        )

    def read_header(self, lines: Lines) -> Header:
        """Return the meaning of the columns; read the header line if there is one.

        Raises ListError if a named column is missing, or if none is a hash.
        """
        if not any(column.field in KINDS for column in self.columns.values()):
            raise ListError("the mapping names no column for a kind of hash")
        first = find_first_row(lines)
        if first is None:
            raise ListError("it has no readable row")
        if not self.header:
            lines.put_back([first])
            return self._build_numbered_header(first[1])
        check_text(first[1])
        splits = {
            delimiter: names
            for delimiter in get_args(Delimiter)
            if (names := split_names(first[1], delimiter)) is not None
        }
        missing = {
            delimiter: self.columns.keys() - map(_fold_name, names)
            for delimiter, names in splits.items()
        }
        if not missing:
            raise ListError("its first line is not a header: quotes are open, or it has hashes")
        best = min(missing, key=lambda one: (len(missing[one]), one != self.delimiter))
        if self.delimiter not in (None, best):
            raise ListError(
                f"its columns are separated by {best!r}, and not by the mapping's delimiter"
                f" {self.delimiter!r}; correct `delimiter`"
            )
        if missing[best]:
            named = [column.name for name, column in self.columns.items() if name in missing[best]]
            shown = describe_missing(named, name_columns(splits[best]))
            raise ListError(f"{shown}; correct the mapping")
        return self._build_header(best, splits[best])

    def _build_numbered_header(self, line: str) -> Header:
        delimiters: tuple[Delimiter, ...] = get_args(Delimiter)
        counts = {line.count(delimiter_): delimiter_ for delimiter_ in reversed(delimiters)}
        delimiter = self.delimiter or counts[max(counts)]
        width = max(len(line.split(delimiter)), *(int(name) for name in self.columns))
        return self._build_header(delimiter, [str(number + 1) for number in range(width)])

    def _build_header(self, delimiter: Delimiter, names: list[str]) -> Header:
        indices: dict[str, list[int]] = {}
        labels = []
        for index, name in enumerate(names):
            column = self.columns.get(_fold_name(name), Column("label"))
            if column.field == "label":
                labels.append((name or f"column {index + 1}", index))
            elif column.field in terms.LABELS:
                labels.append((column.field, index))
            else:
                indices.setdefault(column.field, []).append(index)
        if len({name for name, _ in labels}) < len(labels):
            raise ListError("two label columns have the same name")

        def find_only(field: str) -> int | None:
            return indices[field][0] if field in indices else None

        return Header(
            delimiter if len(names) > 1 else None,
            len(names),
            tuple(
                (kind, index, find_only(f"{name}_quality"))
                for name, kind in KINDS.items()
                for index in indices.get(name, ())
            ),
            tuple(labels),
            find_only("entry"),
            find_only("state"),
            find_only("updated"),
            tuple(
                (index, self._find_scheme(names[index]), find_only("category_scheme"))
                for index in indices.get("category", ())
            ),
            self._merge_states(),
            names=tuple(map(fold_name, names)) if self.header else (),
            columns=name_columns(names),
            unknown=tuple(
                name
                for name, index in labels
                if _fold_name(names[index]) not in self.columns and not is_known_label(name)
            ),
            dates={
                index: found.date_format
                for index, name in enumerate(names)
                if (found := self.columns.get(_fold_name(name))) and found.date_format
            },
        )

    def _find_scheme(self, name: str) -> str | None:
        return self.columns[_fold_name(name)].scheme or self.scheme

    def _merge_states(self) -> Mapping[str, State]:
        for column in self.columns.values():
            if column.states:
                return {**STATES, **column.states}
        return STATES


def _fold_name(name: str) -> str:
    return clean_cell(name).casefold()


def _get_table(settings: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = settings.get(key, {})
    if not isinstance(table, dict):
        raise ListError(f"{key} must be a table")
    return table


def _get_text(settings: Mapping[str, Any], key: str) -> str | None:
    value = settings.get(key)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise ListError(f"{key} must be text")
    return value


def _parse_state(word: object) -> State:
    try:
        return State(str(word))
    except ValueError:
        raise ListError(f"unknown state; one of: {', '.join(State)}") from None


def _parse_column(name: str, settings: object) -> Column:
    if isinstance(settings, str):
        settings = {"field": settings}
    if not isinstance(settings, dict):
        raise ListError(f"column {name!r} must be text or a table")
    settings = dict(settings)
    settings.pop("encoding", None)  # needless: all encodings of a kind are read
    word = settings.pop("field", None)
    if word == "hash":
        word = settings.pop("algorithm", settings.pop("kind", None))
    word = _FIELD_SYNONYMS.get(word, word) if isinstance(word, str) else None
    if word not in _FIELD_NAMES:
        raise ListError(f"column {name!r} must mean one of: {', '.join(sorted(_FIELD_NAMES))}")
    scheme = _get_text(settings, "scheme")
    settings.pop("scheme", None)
    date_format = _get_text(settings, "date_format")
    settings.pop("date_format", None)
    if date_format is not None:
        _check_date_format(name, word, date_format)
    states: dict[str, State] = {}
    for key, values in settings.items():
        state = _parse_state(key.removesuffix("_values").replace("deleted", "withdrawn"))
        if word != "state" or not isinstance(values, list):
            raise ListError(f"column {name!r}: {key} must be a list of words, in a state column")
        for value in values:
            states[_fold_name(str(value)).replace(" ", "_").replace("-", "_")] = state
    return Column(word, scheme, states, date_format)


def _check_date_format(name: str, field: str, date_format: str) -> None:
    if field not in ("updated", "expires"):
        raise ListError(f"column {name!r}: date_format is for a column of times")
    try:
        is_date = read_date(f"{_SAMPLE:{date_format}}", date_format)[:10] == "2033-11-22"
    except ValueError:
        is_date = False
    if not is_date:
        raise ListError(
            f'column {name!r}: date_format must have a day, month and year, as in "%d.%m.%Y"'
        )


def _check_columns(columns: Mapping[str, Column], header: bool) -> None:
    fields = [column.field for column in columns.values()]
    for field_ in _SINGLE_FIELDS | {f"{name}_quality" for name in KINDS}:
        if fields.count(field_) > 1:
            raise ListError(f"two columns are mapped to {field_}")
    # Check the length first: Python refuses to convert thousands of digits.
    if not header and not all(name.isdecimal() and len(name) < 5 and int(name) for name in columns):
        raise ListError("without a header, columns are named by their number from 1")
