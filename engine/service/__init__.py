"""The background engine: takes studies from the store, runs their trials, writes what came of them.

Belongs here: the engine's loop, the driver of one study, executors and what runs inside a worker, recovery, and the
supervision of the processes of a desk. Doesn't: models, SQL, anything that a page shows.
"""
