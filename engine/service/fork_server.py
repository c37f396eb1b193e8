"""Preloaded into the fork server that starts an engine's workers; importing it ties that process to the engine.

Without it, a worker stuck in native code would keep the fork server, and itself, alive after the engine was killed.
"""

from engine.service import worker  # noqa: F401  (numpy and the objectives' base are imported once, for every worker)
from engine.service.lifeline import die_with_parent

die_with_parent()
