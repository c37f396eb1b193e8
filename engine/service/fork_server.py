"""Preloaded into the fork server that starts an engine's workers; importing it ties that process to the engine.

Without it, a worker stuck in native code would keep the fork server, and itself, alive after the engine was killed.
numpy and the catalogue are imported here once, for every worker.
"""

import os

from engine.service import lifeline
from engine.service.worker import load_objectives

lifeline.die_with_parent()
lifeline.fork_server = os.getpid()
load_objectives()
