"""Scans a folder and tells what its workers took; run by test_robustness.py.

    python scan_and_measure.py LIST FOLDER SECONDS JOBS

Result lines go to standard output, the largest worker's peak memory in bytes to standard error.
"""

import resource
import sys

from screener import HashList, Policy, Screener, output, scan


def main():
    """Scan, then ask the system for the peak of all children."""
    known, folder, seconds, jobs = sys.argv[1:]
    engine = Screener(HashList.open(known), policy=Policy(seconds=float(seconds)))
    with output.open_jsonl() as out:
        for result in scan(engine, folder, jobs=int(jobs)):
            out.write(result)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(peak, file=sys.stderr)


if __name__ == "__main__":
    main()
