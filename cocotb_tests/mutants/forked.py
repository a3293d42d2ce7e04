"""pytest on a mutant, in a process that forks from one where slow packages are imported already."""

import multiprocessing
import os
import signal
from contextlib import suppress
from multiprocessing.process import BaseProcess
from tempfile import TemporaryDirectory

import pytest

from proofs.altered import alter, source_of

PASSED, FAILED, NO_SUCH_TEST, NOTHING_RAN = 0, 1, 4, 5
"""What pytest ends with."""

_PRELOADED = [
    "amaranth", "anyio.pytest_plugin", "cocotb_tools.runner", "hypothesis", "numba", "numpy",
    "pandas", "pydantic", "pytest", "pytest_cov.plugin", "rich", "timm", "torch", "typer",
    "xdist.plugin", "yaml",
]  # fmt: skip
"""Of others: no module that may be changed."""

_OPTIONS = ("-x", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
"""Stop at a failure; that a plugin is imported already is no fault."""

_CRASHED = {-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGFPE, -signal.SIGILL, -signal.SIGABRT}
"""What a process ends with in which compiled code of a mutant went wrong."""

_BROKEN = 70
"""What a process ends with that did not come as far as pytest."""


def status_of(module: str, text: str, words: tuple[str, ...], seconds: float) -> int:
    """How pytest ends with these words where a module has this text; FAILED, too, if it ends too
    late or crashes, or if a test is gone because its parameters have changed.

    Raises RuntimeError if it does not run.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    with TemporaryDirectory() as cache:
        process = context.Process(target=_run, args=(module, text, words, cache))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            _kill(process)
            process.join()
            return FAILED
    if process.exitcode == NO_SUCH_TEST or process.exitcode in _CRASHED:
        return FAILED
    if process.exitcode not in (PASSED, FAILED, NOTHING_RAN):
        raise RuntimeError(f"pytest ends with {process.exitcode} on {module}: {' '.join(words)}")
    return process.exitcode


def stop_all() -> None:
    """End what still runs, with all that it started: whoever waits for it sees it fail to run."""
    for process in multiprocessing.active_children():
        _kill(process)


def _kill(process: BaseProcess) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _run(module: str, text: str, words: tuple[str, ...], cache: str) -> None:
    os.setsid()
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nothing, stream)
    status = _BROKEN
    try:
        alter(module, text)
        with suppress(Exception):  # of an import that pytest will see fail, too
            _compile_into(cache, module)
        status = int(pytest.main([*words, *_OPTIONS]))
    finally:
        os._exit(status)


def _compile_into(folder: str, module: str) -> None:
    """What Numba compiles of an altered module goes to a folder of its own: the usual one is for
    what its file says. Both are imported here, where the module is altered already.
    """
    import numba

    import sim_models
    from sim_models.sources import sources_of

    if source_of(module) in sources_of(*sim_models.COMPILED):
        numba.config.CACHE_DIR = folder
