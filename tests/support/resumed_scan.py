"""Scans that resume a file of results."""

from screener import (
    output,
    scan,
)


def go_on(engine, folder, path, **settings):
    """One scan that goes on with a file; the names that it wrote."""
    with output.resume_jsonl(path, engine) as out:
        written = []
        for result in scan(engine, folder, jobs=1, finished=out.finished, **settings):
            out.write(result)
            written.append(result.input.removeprefix(f"{folder}/"))
    return written
