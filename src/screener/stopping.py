"""Stopping: what a signal that is to end the command does, once, in order and never unheard."""

from __future__ import annotations

import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, name)
)
"""Those by which programs are asked to end, as far as the platform has them."""

_SAME_S = 1.0  # in which a further signal is the same wish


def end_in_order() -> None:
    """Be ended as by Ctrl-C where a service is stopped or a terminal closed: what is open is closed
    and what is only for the time of the command goes. Whoever ignores a signal goes on to.
    """
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _stop)
    sys.unraisablehook = _not_lost


class _Stop:
    """Raises KeyboardInterrupt on a signal, once. What comes soon after it is the same wish, of who
    presses Ctrl-C twice or of `timeout`, which sends two: it must not break off the closing of what
    is open. What comes later does, where that takes too long.
    """

    def __init__(self) -> None:
        self._raised = float("-inf")

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._raised > _SAME_S:
            self._raised = now
            raise KeyboardInterrupt

    def again(self) -> None:
        """Have the next one raise too: what was raised is lost."""
        self._raised = float("-inf")


_stop = _Stop()


def _heard() -> list[signal.Signals]:
    """The signals that are not ignored."""
    return [one for one in SIGNALS if signal.getsignal(one) is _stop]


def hear_no_more() -> None:
    """Let Python end, once all is done and told: it would only print where it was interrupted."""
    for number in _heard():
        signal.signal(number, signal.SIG_IGN)


def _not_lost(raised: Any) -> None:
    """Have an interrupt come once more that came while Python was in code from which nothing can be
    raised, such as that which runs when an object goes.
    """
    if not issubclass(raised.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(raised)
        return
    heard = _heard()
    if heard and hasattr(signal, "pthread_kill"):
        _stop.again()
        main_thread = threading.main_thread().ident
        again = threading.Timer(0.05, signal.pthread_kill, (main_thread, heard[0]))
        again.daemon = True
        again.start()
