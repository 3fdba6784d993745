"""The screening of a dataset of Ray Data, with an actor for each worker."""

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
from screener.media.name import Name
from screener.scanning.inputs.folder import FoundFile
from screener.scanning.inputs.listed_names import Awaited
from screener.scanning.ray import nodes
from screener.scanning.ray.dataset_rows import (
    COLUMNS,
    MemoryFiles,
    read_path,
    rename_result,
    to_row,
)
from screener.scanning.ray.nodes import ListReference
from screener.scanning.scan import check_classic, scan_with_paths
from screener.scanning.workers.pool import Workers
from screener.scanning.workers.protocol import FinishedTask
from screener.scanning.workers.worker import Worker
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher, OpenedArchive
from screener.screening.policy import Policy
from screener.screening.result import Reason, Result
from screener.screening.screener import Screener

ListOrPath = HashList | str | PathLike[str]


def screen(
    dataset: Any,
    *,
    lists: ListOrPath | Sequence[ListOrPath],
    policy: Policy | None = None,
    path: str = "path",
    contents: str = "bytes",
    keep: Iterable[str] = (),
    concurrency: int | tuple[int, int] | None = None,
    batch_size: int = 32,
) -> Any:
    """Screen a `ray.data.Dataset`; return a Dataset with a row for each Result.

    A row is an input: bytes, or else a file at a path. If a row has both, the path is the name of
    the bytes, as in `ray.data.read_binary_files(…, include_paths=True)`. Archives have a row for
    each member too.

    The result's columns are those of `dataset_rows.COLUMNS`: `input`, `verdict`, `reason`, `bytes`,
    `media_type`, `seconds`, as in a result line; `list`, `source`, `entry`, `kind`, `distance` of
    the nearest match, or null; the numbers of `matches` and `other_hits`; and `result`, the line
    itself, as JSON.

    Each worker is an actor that memory-maps the lists; the actors of a node share that memory.
    It opens inputs in a confined process, as `scan` does. The call opens the lists at once; the
    rest is lazy.

    Parameters:
        dataset: The dataset to screen.
        lists: The lists, which every node needs at the same path and generation.
        policy: The policy; the default policy if None.
        path: The column of paths.
        contents: The column of bytes.
        keep: Columns of the dataset to keep in the result.
        concurrency: The number of actors, or (least, most); by default from 1 to the number of
            CPUs of the cluster.
        batch_size: The number of rows that an actor screens at a time.

    Raises:
        ListError, IndexFileError, PolicyError: If the lists or the policy cannot be used.
        ClusterError: If a node has other versions of the software or lacks these generations.
    """
    all_lists = [lists] if isinstance(lists, HashList | str | PathLike) else list(lists)
    hash_lists = [
        list_ if isinstance(list_, HashList) else HashList.open(list_) for list_ in all_lists
    ]
    screener = Screener(hash_lists, policy=policy)
    check_classic(screener.policy, screener.kinds)
    if isinstance(keep, str):
        raise ClusterError(f"keep must be a list of columns: keep=[{keep!r}]")
    kept_columns = tuple(dict.fromkeys(keep))
    if conflicts := set(kept_columns) & {*COLUMNS.names, contents}:
        raise ClusterError(
            f"the column {sorted(conflicts)[0]} cannot be kept: results have a column of that name"
        )
    references = [ListReference.from_list(hash_list) for hash_list in hash_lists]
    nodes.check_nodes(references)
    return dataset.map_batches(
        Screening,
        fn_constructor_args=(
            references,
            nodes.read_versions(),
            screener.policy,
            os.getcwd(),
            path,
            contents,
            kept_columns,
        ),
        batch_format="pyarrow",
        batch_size=batch_size,
        num_cpus=1,
        compute=_actor_pool(concurrency),
    )


def _actor_pool(concurrency: int | tuple[int, int] | None) -> ray.data.ActorPoolStrategy:
    if isinstance(concurrency, int):
        return ray.data.ActorPoolStrategy(size=concurrency)
    minimum, maximum = concurrency or (1, nodes.count_cpus())
    return ray.data.ActorPoolStrategy(min_size=minimum, max_size=maximum)


class Screening:
    """An actor that memory-maps the lists and has one worker process."""

    def __init__(
        self,
        lists: Sequence[ListReference],
        versions: nodes.Versions,
        policy: Policy,
        folder: str,
        path: str,
        contents: str,
        keep: Sequence[str],
    ) -> None:
        nodes.hide_main_module()
        nodes.check_versions(versions, nodes.address())
        self._screener = Screener([reference.open() for reference in lists], policy=policy)
        self._working_directory = folder
        self._path_column = path
        self._contents_column = contents
        self._kept_columns = keep
        self._workers = _PersistentWorkers()

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return the Results of a batch, in the order of its rows."""
        if not len(batch):
            return COLUMNS.empty_table()
        results = sorted(self._results(batch), key=itemgetter(0))
        rows = [to_row(result) for _, result in results]
        table = pa.Table.from_pylist(rows, schema=COLUMNS)
        for name in self._kept_columns:
            column = batch.column(name).take(pa.array([row for row, _ in results], pa.int64()))
            table = table.append_column(name, column)
        return table

    def _results(self, batch: pa.Table) -> Iterator[tuple[int, Result]]:
        """Yield each Result with its row; those of one row in order.

        Each row's values count, not the columns: Ray fills missing columns with null.
        """
        names = set(batch.column_names)
        if missing := set(self._kept_columns) - names:
            raise ClusterError(f"the dataset has no column {sorted(missing)[0]} to keep")
        if names.isdisjoint({self._contents_column, self._path_column}):
            raise ClusterError(
                f"the dataset has neither a column {self._contents_column} nor {self._path_column}:"
                " name the column by contents= or path="
            )
        values = batch.column(self._contents_column) if self._contents_column in names else ()
        paths = batch.column(self._path_column) if self._path_column in names else ()
        names_by_row = {row: read_path(value) for row, value in enumerate(paths) if value.is_valid}
        rows_with_bytes = [row for row, value in enumerate(values) if value.is_valid]
        yield from self._screen_contents(values, rows_with_bytes, names_by_row)
        other_rows = sorted(set(range(len(batch))) - set(rows_with_bytes))
        yield from self._screen_paths(
            {row: names_by_row[row] for row in other_rows if row in names_by_row}
        )
        for row in other_rows:
            if row not in names_by_row:
                yield row, self._result_of_empty_row()

    def _screen_contents(
        self, values: Sequence[Any], rows: Sequence[int], names_by_row: Mapping[int, str]
    ) -> Iterator[tuple[int, Result]]:
        files = MemoryFiles(values, rows)
        with closing(files):
            for path, result in self._scan(files.paths()):
                row = files.find_row(path)
                # Its mtime would be that of the file in memory.
                yield (
                    row,
                    replace(rename_result(result, path, names_by_row.get(row)), mtime_ns=None),
                )

    def _screen_paths(self, names_by_row: Mapping[int, str]) -> Iterator[tuple[int, Result]]:
        """Yield the Results of paths. A path of several rows is screened once."""
        rows: dict[str, list[int]] = {}
        for row, name in names_by_row.items():
            # Actors run in another folder than the caller. An empty name is unreadable everywhere.
            path = os.path.join(self._working_directory, name) if name else name
            rows.setdefault(path, []).append(row)
        for path, result in self._scan(iter(rows)):
            for row in rows[path]:
                yield row, rename_result(result, path, names_by_row[row])

    def _scan(self, paths: Iterator[str]) -> Iterator[tuple[str, Result]]:
        files = (FoundFile(path) for path in paths)
        results = scan_with_paths(self._workers.start, self._screener, files)
        with closing(results):
            yield from results

    def _result_of_empty_row(self) -> Result:
        detail = "neither bytes nor a path in this row"
        return self._screener.unscreened(Name(), Reason.UNREADABLE, detail)


class _PersistentWorkers:
    """A worker process that outlives the scan of a batch."""

    def __init__(self) -> None:
        self._workers: Workers[HashedInput | OpenedArchive] | None = None

    def start(self, hasher: Hasher) -> _PersistentWorkers:
        """Return the workers of a scan; start them the first time."""
        if self._workers is None:
            self._workers = Workers(hasher, 1)
        return self

    def least_busy(self) -> Worker[HashedInput | OpenedArchive] | None:
        """Return the worker if it can take another target, or None."""
        return None if self._workers is None else self._workers.least_busy()

    def collect(
        self, awaited: Awaited | None = None
    ) -> Sequence[FinishedTask[HashedInput | OpenedArchive]]:
        """Wait for at least one finished task and return all finished ones."""
        return [] if self._workers is None else self._workers.collect(awaited)

    def __enter__(self) -> _PersistentWorkers:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        """Keep the worker unless the batch failed, since a task may still be running."""
        if kind is not None and self._workers is not None:
            self._workers.__exit__(kind, *rest)
            self._workers = None
