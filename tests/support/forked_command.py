"""A process that has loaded the command, and forks for each call: it begins where `main` does, and
what loading takes is spared. It ends when its standard input does.

With a call come four descriptors: a JSON text of the arguments, the folder and the environment, and
the three standard streams. What is answered is the exit code, as subprocess tells it.
"""

import json
import os
import select
import signal
import socket
import sys

from screener.cli.app import main

__all__ = ["main", "serve"]


def serve(path):
    """Fork for each call that comes to the socket; returns in the process of a call."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that answer
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(64)
        os.write(1, b"\n")
        while True:
            if sys.stdin in select.select([listening, sys.stdin], [], [])[0]:
                sys.exit()
            with listening.accept()[0] as asked:
                if os.fork() == 0:
                    descriptors = _answer(asked)
                    break
    _become(*descriptors)


def _answer(asked):
    """In the process that answers: its descriptors, in the process of the call; exits otherwise."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    descriptors = socket.recv_fds(asked, 1, 4)[1]
    called = os.fork()
    if called:
        _, status = os.waitpid(called, 0)
        asked.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    return descriptors


def _become(call, *streams):
    """Make this process the one that was called for."""
    with open(call, encoding="utf-8") as stream:
        arguments, folder, environment = json.load(stream)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
