"""Where points are evaluated: processes of this machine, or a cluster behind a Dask scheduler.

Both are executors of concurrent.futures, so that nothing else differs. Workers of a cluster need
the project at the same version, and mask files under the same path.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, ProcessPoolExecutor
from contextlib import contextmanager

import torch

from rtl_gen.errors import UserError
from sim_models import CODE

CONNECT_SECONDS = 10
WORKERLESS_SECONDS = 30
"""So long a cluster may be without workers; Dask's nannies start lost ones again."""

LOST = "a worker was lost: finished points are kept, run the sweep again"


@contextmanager
def worker_pool(scheduler: str | None = None, processes: int | None = None) -> Iterator[Executor]:
    """An executor; tasks that have not begun are dropped when the block is left.

    scheduler: address of a Dask scheduler such as tcp://host:8786; None: this machine
    processes: of this machine; None: one a core

    Raises:
        UserError: no scheduler there, none of its workers is there, one has other code or is lost.
    """
    if scheduler is not None:
        yield from _cluster(scheduler)
        return
    # Forked processes have everything imported: a sweep of seconds cannot wait for PyTorch again.
    pool = ProcessPoolExecutor(
        processes or len(os.sched_getaffinity(0)),
        mp_context=multiprocessing.get_context("fork"),
        initializer=_start_process,
    )
    try:
        yield pool
    except BrokenExecutor as error:
        raise UserError(LOST) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_process() -> None:
    """One thread; an interrupt is the parent's to handle; the end of the parent ends all."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _cluster(address: str) -> Iterator[Executor]:
    # Half a second that a local sweep need not pay.
    from distributed import Client, KilledWorker
    from distributed.comm import CommClosedError

    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"no Dask scheduler answers at {address}: start one with `dask scheduler`, or leave "
            "the option out"
        ) from error
    with client:
        _check_workers(client, address)
        pool = client.get_executor(pure=False)
        left = threading.Event()
        threading.Thread(target=_end_without_workers, args=(client, pool, left)).start()
        try:
            yield pool
        except (CancelledError, CommClosedError, KilledWorker) as error:
            raise UserError(LOST) from error
        finally:
            left.set()
            pool.shutdown(wait=False)


def _end_without_workers(client, pool: Executor, left: threading.Event) -> None:
    """Cancel the tasks, which would wait for ever, once there have been no workers for long."""
    seconds = 0
    while seconds < WORKERLESS_SECONDS:
        if left.wait(1):
            return
        try:
            seconds = 0 if client.nthreads() else seconds + 1
        except OSError:
            return
    pool.shutdown(wait=False)


def _check_workers(client, address: str) -> None:
    try:
        versions = client.run(_loaded_code)
    except ImportError as error:
        raise UserError(
            f"a worker of {address} cannot import the project ({error}): start it in the "
            "project's folder with the project's Python"
        ) from error
    if not versions:
        raise UserError(f"{address} has no workers: start some with `dask worker {address}`")
    for worker, version in versions.items():
        if version != CODE:
            raise UserError(
                f"worker {worker} has another version of the project: start it again from this one"
            )


def _loaded_code() -> str:
    return CODE
