"""One BLAS thread while a kernel runs."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


class _OneThread:
    """How many kernels run at the moment, and how to give the threads back after the last one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running = 0
        self.limit: Any = None

    def __enter__(self) -> None:
        with self.lock:
            if self.running == 0:
                _let_go()
                self.limit = _controller().limit(limits=1, user_api="blas")
                _let_go()
            self.running += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.running -= 1
            if self.running == 0:
                _let_go()
                self.limit.restore_original_limits()
                _let_go()


@cache
def _controller() -> ThreadpoolController:
    """Look for the BLAS libraries once: that takes longer than a small clustering."""
    return ThreadpoolController()


def _let_go() -> None:
    """Let this thread set the limit of OpenBLAS, whichever did so before.

    Since threadpoolctl 3.8 the first thread that sets it is the only one that can while it lives:
    kernels that DuckDB calls from its own threads would run without one.
    """
    for library in _controller().lib_controllers:
        clear = getattr(library, "clear_controlling_thread", None)
        if clear is not None:
            clear(force=True)


_ONE_THREAD = _OneThread()


def one_thread() -> AbstractContextManager[None]:
    """Keep BLAS on one thread: the products are thin, and waiting threads cost more than they do.

    The order of a sum then cannot depend on the machine's number of cores either. Kernels that
    run at the same time share the limit, so that none gives the threads back under another.
    """
    return _ONE_THREAD
