"""One study in the foreground: for `tunedesk study run` and for scripts."""

from __future__ import annotations

from collections.abc import Callable

from engine.service.engine import EngineProcess
from engine.store import Store
from engine.store.records import StudyRecord


def run_study(
    store: Store, study_id: str, on_finish: Callable[[StudyRecord], None], *, executor: str = "local"
) -> StudyRecord:
    """Drives a study of the store with an engine of its own until it ends, is paused, or Ctrl-C; returns it then.

    Interrupted, it stays queued: any engine, or another call, goes on with it. A study that failed is returned too.
    """
    EngineProcess(store, studies=1, executor=executor, only=study_id, on_finish=on_finish).run()
    return store.get_study(study_id)
