"""Screen files in tasks of Celery. A file that crashes a decoder does not lose other tasks.

Run `KNOWN_LIST=known.list celery -A celery_task worker --concurrency 2` in this folder, with broker
and result backend in `celeryconfig.py`. Celery forks its processes; the Pool of each starts a
worker with the first task.
"""

import os

from celery import Celery

from screener import HashList, Pool, Screener
from screener.errors import Busy, PoolClosed, WorkerError

app = Celery("celery_task")
app.config_from_object("celeryconfig")

pool = Pool(Screener(HashList.open(os.environ["KNOWN_LIST"])), jobs=1)


@app.task(autoretry_for=(Busy, PoolClosed, TimeoutError, WorkerError), acks_late=True)
def screen(path: str) -> str:
    """Return the result line of a file, by the newest generation of the list."""
    pool.refresh()
    return pool.screen(path, timeout=60).to_json()
