"""The screening of a dataset of Ray Data."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from operator import itemgetter
from os import PathLike
from typing import Any

import pyarrow as pa
import ray.data

from screener.errors import ClusterError
from screener.lists.hashlist import HashList
from screener.media.source import Name
from screener.scanning.inputs.folder import Place
from screener.scanning.inputs.listed_names import Awaited
from screener.scanning.ray import nodes
from screener.scanning.ray.dataset_rows import COLUMNS, Contents, columns_of, path_of, renamed
from screener.scanning.ray.nodes import Listed
from screener.scanning.scan import check_memory, path_results
from screener.scanning.workers.pool import Workers
from screener.scanning.workers.protocol import Done
from screener.scanning.workers.worker import Worker
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher, OpenedArchive
from screener.screening.policy import Policy
from screener.screening.result import Reason, Result
from screener.screening.screener import Screener

List = HashList | str | PathLike[str]


def screen(
    dataset: Any,
    *,
    lists: List | Sequence[List],
    policy: Policy | None = None,
    path: str = "path",
    contents: str = "bytes",
    keep: Iterable[str] = (),
    concurrency: int | tuple[int, int] | None = None,
    batch_size: int = 32,
) -> Any:
    """Screen a `ray.data.Dataset`; return a Dataset with one row for each Result.

    A row is an input: the bytes in its column `contents`, or else the file that its column `path`
    names. With both, the path is the name of the bytes, as in `ray.data.read_binary_files(…,
    include_paths=True)`. Archives have a row for each member. The columns are those of
    `rows.COLUMNS`, and the dataset's columns that `keep` names:

    `input`, `verdict`, `reason`, `bytes`, `media_type`, `seconds`, as in a result line; `list`,
    `source`, `entry`, `kind`, `distance` of the nearest match, or null; the numbers of `matches`
    and `other_hits`; and `result`, the line itself, as JSON.

    Each worker is an actor that maps the lists, which every node needs at the same path and
    generation; the actors of a node share their memory. It opens inputs in a confined process, as a
    scan does. `concurrency` is the number of actors, or (least, most); by default from 1 to one for
    each CPU of the cluster.

    Lazy, except that the lists are opened: raises ListError, IndexFileError and PolicyError as that
    does, and ClusterError if a node has other versions, or not these generations.
    """
    several = [lists] if isinstance(lists, HashList | str | PathLike) else list(lists)
    opened = [one if isinstance(one, HashList) else HashList.open(one) for one in several]
    screener = Screener(opened, policy=policy)
    check_memory(screener.policy, screener.kinds)
    if isinstance(keep, str):
        raise ClusterError(f"keep must be a list of columns: keep=[{keep!r}]")
    kept_columns = tuple(dict.fromkeys(keep))
    if taken := set(kept_columns) & {*COLUMNS.names, contents}:
        raise ClusterError(
            f"the column {sorted(taken)[0]} cannot be kept: results have a column of that name"
        )
    listed = [Listed.of(one) for one in opened]
    nodes.check(listed)
    return dataset.map_batches(
        Screening,
        fn_constructor_args=(
            listed,
            nodes.facts(),
            screener.policy,
            os.getcwd(),
            path,
            contents,
            kept_columns,
        ),
        batch_format="pyarrow",
        batch_size=batch_size,
        num_cpus=1,
        compute=_pool(concurrency),
    )


def _pool(concurrency: int | tuple[int, int] | None) -> ray.data.ActorPoolStrategy:
    if isinstance(concurrency, int):
        return ray.data.ActorPoolStrategy(size=concurrency)
    least, most = concurrency or (1, nodes.cpus())
    return ray.data.ActorPoolStrategy(min_size=least, max_size=most)


class Screening:
    """The actor: maps the lists, and has one worker process."""

    def __init__(
        self,
        lists: Sequence[Listed],
        facts: nodes.Facts,
        policy: Policy,
        folder: str,
        path: str,
        contents: str,
        keep: Sequence[str],
    ) -> None:
        nodes.forget_main()
        nodes.check_facts(facts, nodes.address())
        self._screener = Screener([one.open() for one in lists], policy=policy)
        self._folder = folder
        self._path = path
        self._contents = contents
        self._keep = keep
        self._workers = _KeptWorkers()

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return the Results of a batch, in the order of its rows."""
        if not len(batch):
            return COLUMNS.empty_table()
        results = sorted(self._results(batch), key=itemgetter(0))
        rows = [columns_of(result) for _, result in results]
        table = pa.Table.from_pylist(rows, schema=COLUMNS)
        for name in self._keep:
            column = batch.column(name).take(pa.array([row for row, _ in results], pa.int64()))
            table = table.append_column(name, column)
        return table

    def _results(self, batch: pa.Table) -> Iterator[tuple[int, Result]]:
        """Yield each Result with its row; those of one row in order.

        The values of a row decide what it is: Ray fills in null for a column that only other rows
        have.
        """
        names = set(batch.column_names)
        if missing := set(self._keep) - names:
            raise ClusterError(f"the dataset has no column {sorted(missing)[0]} to keep")
        if names.isdisjoint({self._contents, self._path}):
            raise ClusterError(
                f"the dataset has neither a column {self._contents} nor {self._path}:"
                " name the column by contents= or path="
            )
        values = batch.column(self._contents) if self._contents in names else ()
        paths = batch.column(self._path) if self._path in names else ()
        named = {row: path_of(value) for row, value in enumerate(paths) if value.is_valid}
        with_bytes = [row for row, value in enumerate(values) if value.is_valid]
        yield from self._of_contents(values, with_bytes, named)
        without = sorted(set(range(len(batch))) - set(with_bytes))
        yield from self._of_paths({row: named[row] for row in without if row in named})
        for row in without:
            if row not in named:
                yield row, self._nothing()

    def _of_contents(
        self, values: Sequence[Any], rows: Sequence[int], named: Mapping[int, str]
    ) -> Iterator[tuple[int, Result]]:
        files = Contents(values, rows)
        with closing(files):
            for path, result in self._scanned(files.paths()):
                row = files.row(path)
                # The time is that of the file in memory.
                yield row, replace(renamed(result, path, named.get(row)), mtime_ns=None)

    def _of_paths(self, named: Mapping[int, str]) -> Iterator[tuple[int, Result]]:
        """Yield the Results of paths. A path of several rows is screened once."""
        rows: dict[str, list[int]] = {}
        for row, name in named.items():
            # Actors run in another folder than the caller; an empty name is nowhere.
            path = os.path.join(self._folder, name) if name else name
            rows.setdefault(path, []).append(row)
        for path, result in self._scanned(iter(rows)):
            for row in rows[path]:
                yield row, renamed(result, path, named[row])

    def _scanned(self, paths: Iterator[str]) -> Iterator[tuple[str, Result]]:
        found = (Place(path) for path in paths)
        results = path_results(self._workers.start, self._screener, found)
        with closing(results):
            yield from results

    def _nothing(self) -> Result:
        detail = "neither bytes nor a path in this row"
        return self._screener.unscreened(Name(), Reason.UNREADABLE, detail)


class _KeptWorkers:
    """A worker process that outlives the scan of a batch."""

    def __init__(self) -> None:
        self._workers: Workers[HashedInput | OpenedArchive] | None = None

    def start(self, hasher: Hasher) -> _KeptWorkers:
        """Start the workers of a scan, the first time only."""
        if self._workers is None:
            self._workers = Workers(hasher, 1)
        return self

    def free(self) -> Worker[HashedInput | OpenedArchive] | None:
        """Return the worker, if it can take another target."""
        return None if self._workers is None else self._workers.free()

    def collect(
        self, awaited: Awaited | None = None
    ) -> Sequence[Done[HashedInput | OpenedArchive]]:
        """Wait until a task is over, and return all that are."""
        return [] if self._workers is None else self._workers.collect(awaited)

    def __enter__(self) -> _KeptWorkers:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        """Keep the worker, unless the batch was broken off and a task is under way."""
        if kind is not None and self._workers is not None:
            self._workers.__exit__(kind, *rest)
            self._workers = None
