"""Scans a file or a folder and tells what its workers took; run by test_robustness.py.

    python scan_and_measure.py LIST PATH JOBS

Result lines go to standard output; to standard error the largest worker's peak memory, in bytes,
and the seconds for which processors were at work for all of them.
"""

import resource
import sys

from screener import HashList, Screener, output, scan


def main():
    """Scan, then ask the system what all children took."""
    known, path, jobs = sys.argv[1:]
    engine = Screener(HashList.open(known))
    with output.open_jsonl() as out:
        for result in scan(engine, path, jobs=int(jobs)):
            out.write(result)
    took = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(took.ru_maxrss * 1024, took.ru_utime + took.ru_stime, file=sys.stderr)


if __name__ == "__main__":
    main()
