"""Workers of a scan that finish in the opposite order."""

from types import SimpleNamespace

from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import HashMode


class Doing:
    """One worker, and all of them, in this process; of every third member, the decoder needs more
    memory than there is.
    """

    def __init__(self, hasher):
        self.session, self.orders = hasher.start_session(), []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for archive in self.session._archives.values():
            archive.close()

    def take(self, target, budget, way=HashMode.NORMAL):
        """Note it."""
        task = object()
        self.orders.append((task, target, budget, way))
        return task

    @property
    def free(self):
        """Whether it takes another one; a worker may have so many ahead."""
        return len(self.orders) < 128

    def least_busy(self):
        """Itself, its only worker."""
        return self if self.free else None

    def collect(self, awaited=None):
        """Do the first half of what is to be done."""
        done = []
        for task, target, budget, way in self.orders[: (len(self.orders) + 1) // 2]:
            outcome = self.session.run(target, budget, way)
            if isinstance(outcome, HashedInput) and target.inner[-1] % 3 == 0:
                # As `visiting` does after a MemoryError.
                outcome = self.session.run(target, None, HashMode.DIGESTS_ONLY)
            done.append(SimpleNamespace(task=task, outcome=outcome, seconds=0.0))
        del self.orders[: len(done)]
        return done


class Backwards(Doing):
    """Does what was handed over last, and one thing at a time."""

    def collect(self, awaited=None):
        """Do the last thing that is to be done."""
        task, target, budget, way = self.orders.pop()
        outcome = self.session.run(target, budget, way)
        return [SimpleNamespace(task=task, outcome=outcome, seconds=0.0)]
