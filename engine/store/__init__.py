"""The experiment store: tables, migrations, queries. Nobody else writes SQL.

Belongs here: the database and its errors, one module of queries a subject, ``Store`` that joins them. Doesn't: who may
do what (engine.governance), when to do it (engine.service), numbers for pictures (engine.analysis).
"""

from engine.store.migrate import backup, upgrade
from engine.store.progress import ProgressPoint
from engine.store.records import Lease
from engine.store.store import Store

__all__ = ["Lease", "ProgressPoint", "Store", "backup", "upgrade"]
