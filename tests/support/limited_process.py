"""Reading a file that is made as it is read, in a process with little memory and time."""

import resource
import subprocess
import sys
import textwrap

CHILD = """
    from screener.errors import ListError
    from screener.lists.formats.registry import open_reader
    from screener.lists.formats.content import Content
    from screener.lists.formats.options import Options
    from screener.lists.store.records import BadRow

    class Made:
        def __init__(self, start, middle, times, end):
            self._pieces = iter([start, *[middle] * times, end])
            self._rest = b""

        def read(self, size):
            while len(self._rest) < size:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._rest += piece
            piece, self._rest = self._rest[:size], self._rest[size:]
            return piece

    def run(start, middle, times, end, format, scheme=None):
        stream = Made(start, middle, times, end)
        rows = bad = 0
        try:
            any_columns = {"ids_from_hashes": True, "ignore_unknown_columns": True}
            options = Options("s", scheme, **any_columns)
            reader = open_reader(Content(stream, "big"), options, format=format)
            for row in reader:
                rows += 1
                bad += isinstance(row, BadRow)
        except ListError as error:
            print("refused", str(error)[:200])
        # Not ru_maxrss, which begins with what the parent had when it forked.
        with open("/proc/self/status") as status:
            peak = next(line for line in status if line.startswith("VmHWM"))
        print(rows, bad, int(peak.split()[1]) // 1024)
"""


def in_child(call, *, megabytes=700, seconds=120):
    """What a call of `run` prints in a process that may not have more memory than that, nor more
    of a processor's time.
    """

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds,) * 2)

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD) + call],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        env={"PATH": "", "OPENBLAS_NUM_THREADS": "1"},
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    *said, counts = done.stdout.strip().splitlines()
    return " ".join(said), *map(int, counts.split())
