"""How soon something ends, on a machine that may be busy with something else."""

from collections.abc import Callable


def soonest(attempt: Callable[[], float], within: float) -> float:
    """Return the least seconds of up to three attempts, stopping at the first within the limit:
    only code that is slow itself is slow each time.
    """
    took = attempt()
    for _ in range(2):
        if took < within:
            break
        took = min(took, attempt())
    return took
