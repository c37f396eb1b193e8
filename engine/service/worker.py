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
from collections.abc import Iterator
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


def start_worker(folder: str) -> None:
    """Runs once in every local worker process. ``folder`` holds its temporary files and goes with the pool."""
    die_with_engine()
    tempfile.tempdir = folder
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a kill takes effect at once, in native code too
    single_threaded()
    threadpool_limits(1)
    for stream in (sys.stdout, sys.stderr):  # what was printed before a kill is in the log
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", force=True)


def run_local(task: TrialTask, log: str) -> Outcome:
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


def run_remote(task: TrialTask) -> Outcome:
    """A trial in a process shared with others, such as a Dask worker: Python's own output comes back in the outcome."""
    if task.allowed:
        os.environ[ALLOW_VARIABLE] = ",".join(task.allowed)
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    logging.getLogger().addHandler(handler)
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output), threadpool_limits(1):
            outcome = run(task)
    finally:
        logging.getLogger().removeHandler(handler)
    return Outcome(outcome.state, outcome.values, outcome.error, output.getvalue())


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
