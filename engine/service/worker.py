"""What runs inside a worker: one trial at a time, its output kept, every way to fail turned into an Outcome."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from engine import objectives
from engine.errors import TunedeskError
from engine.objectives import Context, Infeasible
from engine.objectives.catalogue import ALLOW_VARIABLE
from engine.service.lifeline import die_with_engine
from engine.service.task import Outcome, TrialTask, UnusableResult, read_result

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
"""One thread a worker: the study's ``workers`` are the parallelism, and more threads than cores slow all of them."""


def single_threaded() -> None:
    """Asks the numeric libraries that are imported from now on, and in child processes, for one thread each."""
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")


def start_local_worker(folder: str, allowed: Sequence[str]) -> None:
    """Runs once in every worker process of this machine's pool. ``allowed``: the engine's allow-list, since the fork
    server may be older than it."""
    die_with_engine()
    os.environ[ALLOW_VARIABLE] = ",".join(allowed)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a kill takes effect at once, in native code too
    prepare(folder)


def prepare(folder: str) -> None:
    """Runs once in every process that runs trials. ``folder`` holds its temporary files and goes with the pool."""
    tempfile.tempdir = folder
    load_objectives()
    single_threaded()
    threadpool_limits(1)
    for stream in (sys.stdout, sys.stderr):  # what was printed before a kill is in the log
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", force=True)


def load_objectives() -> None:
    """Imports what every trial needs, so that it is no part of the first one's time."""
    with contextlib.suppress(Exception):  # what is wrong with the catalogue, the first trial tells
        objectives.catalogue()


def run_logged(task: TrialTask, log: str) -> Outcome:
    """A trial in a process of its own: all its output, native code's too, goes to the file ``log``."""
    with open(log, "wb") as file:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        return run(task)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def run(task: TrialTask) -> Outcome:
    """Evaluates the objective. Never raises; what went wrong is told in the outcome, the traceback is printed."""
    try:
        function = objectives.resolve(task.objective)
    except TunedeskError as error:
        return Outcome("unusable", error=str(error))
    except Exception as error:  # noqa: BLE001 - importing runs foreign code
        return Outcome("unusable", error=f"{task.objective} can't be loaded. {_explain(error)}")
    # Workers are forked from one process: without this, objectives that draw from the global generators would
    # all draw the same numbers, and a trial could not be repeated.
    random.seed(task.seed)
    np.random.seed(task.seed % 2**32)
    try:
        with _scratch_folder() as scratch:
            context = Context(seed=task.seed, settings=task.settings, report=_report, scratch=scratch)
            result = function(dict(task.params), context)
        values, left_out = read_result(result, task.objectives, task.limited)
        for name, value in left_out.items():
            print(f"The outcome {name} is not kept: {value!r} is not a finite number.")
        return Outcome("complete", values)
    except Infeasible as reason:
        return Outcome("infeasible", error=str(reason) or "The objective says that this point is infeasible.")
    except UnusableResult as error:
        return Outcome("failed", error=str(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an objective is foreign code
        return Outcome("failed", error=_explain(error))


@contextlib.contextmanager
def _scratch_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="trial-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _report(step: int, value: float) -> None:
    print(f"step {step}: {value:g}")


def _explain(error: BaseException) -> str:
    """One sentence for the trial's row; the traceback, from the objective's own frame on, goes to the log."""
    own = error.__traceback__.tb_next if error.__traceback__ else None
    print("".join(traceback.format_exception(type(error), error, own)), end="", file=sys.stderr)
    frames = traceback.extract_tb(own)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    message = " ".join(str(error).split())
    return f"The objective raised {type(error).__name__}{': ' + message if message else ''}{where}."
