"""How soon something ends, on a machine that may be busy with something else."""

from collections.abc import Callable


def soonest(attempt: Callable[[], float], within: float) -> float:
    """The least seconds that one of up to three attempts tells, which are made until one is within
    those asked for: what is slow each time is slow by itself.
    """
    took = attempt()
    for _ in range(2):
        if took < within:
            break
        took = min(took, attempt())
    return took
