"""A Pool in a program that forks, ends or is killed; run by test_pool_processes.py.

python pool_and_processes.py LIST FILE HOW

A line for each process on standard output: a verdict, its PID, and those of its workers.
"""

import contextlib
import os
import sys
import threading
import time
from pathlib import Path

from pool_accidents import Engine, Held, workers_of

from screener import HashList, Pool, Screener
from screener.errors import PoolClosed


def tell(pool, file):
    """Screen a file by a pool, and write the line of this process."""
    verdict = pool.screen(file).verdict
    line = " ".join(map(str, (verdict, os.getpid(), *workers_of(pool))))
    os.write(1, f"{line}\n".encode())


def tell_in_forks(pool, file, count):
    """Do so in forks of this process, and wait for them. None closes the pool."""
    children = []
    for number in range(count):
        children.append(os.fork())
        if children[-1] == 0:
            tell(pool, file)
            if number:
                os._exit(0)  # as those of `multiprocessing` end
            sys.exit(0)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * count


def tell_in_forks_in_the_middle(list_path, file):
    """Do so while the only worker has an item of this process, which gets its Result."""
    pool, held = Pool(Engine(HashList.open(list_path)), jobs=1), Held(Path(file).parent)
    results = []
    thread = threading.Thread(target=lambda: results.append(pool.screen(held.data)))
    thread.start()
    held.until_begun()
    tell_in_forks(pool, file, 2)
    held.release()
    thread.join()
    assert results[0].reason == "unsupported"
    tell(pool, file)
    pool.close()


def main():
    """Do as the last argument says."""
    list_path, file, how = sys.argv[1:]
    if how == "fork in the middle":
        tell_in_forks_in_the_middle(list_path, file)
        return
    pool = Pool(Screener(HashList.open(list_path)), jobs=1)
    if how == "preload":  # as a server that loads the application before it forks
        tell_in_forks(pool, file, 2)
        return
    tell(pool, file)
    if how == "fork":
        tell_in_forks(pool, file, 2)
        tell(pool, file)
        pool.close()
    if how == "end in the middle":  # with an item that nobody waits for

        def screen_for_ever():
            with contextlib.suppress(PoolClosed):
                while True:
                    pool.screen(file)

        threading.Thread(target=screen_for_ever, daemon=True).start()
        time.sleep(0.1)
    if how == "wait":
        time.sleep(600)
    if how == "wait beside a fork":  # which has copies of all pipes
        os.fork()
        time.sleep(60)


if __name__ == "__main__":
    main()
