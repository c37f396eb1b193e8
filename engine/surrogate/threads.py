"""One BLAS thread inside the engine: for matrices of this size more threads only wait for each other."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager

from threadpoolctl import ThreadpoolController


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager:
    """A context within which BLAS uses one thread; the process's own setting returns after it."""
    return _controller().limit(limits=1, user_api="blas")
