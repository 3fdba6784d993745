"""Screen files from several threads: `python thread_pool.py known.list FILE...`."""

import sys
from concurrent.futures import ThreadPoolExecutor

from screener import HashList, Pool, Screener


def main() -> None:
    """Print a result line for each file, in order."""
    screener = Screener(HashList.open(sys.argv[1]))
    with Pool(screener) as pool, ThreadPoolExecutor(8) as threads:
        for result in threads.map(pool.screen, sys.argv[2:]):
            print(result.to_json())


if __name__ == "__main__":  # workers load this file too
    main()
