"""A child process that is killed while it does something."""

import os
import select
import signal
import time


def killed(prepare, do, delay):
    """Whether a child was killed, so long after it began to do something with what it had
    prepared, before the end.
    """
    read, pipe = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            prepared = prepare()
            os.write(pipe, b"b")
            do(prepared)
            os.write(pipe, b"e")
            time.sleep(60)
        finally:
            os._exit(1)
    os.close(pipe)
    try:
        assert select.select([read], [], [], 60)[0], "the child does not begin"
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        said = os.read(read, 9)
    finally:
        os.close(read)
    assert os.WIFSIGNALED(status), "the child died by itself"
    return said == b"b"
