"""Objectives that misbehave on demand. Settings: ``folder``, where they leave marks and wait for a go."""

from __future__ import annotations

import ctypes
import logging
import os
import random
import time
from pathlib import Path
from typing import Any

from engine.objectives import Context, Infeasible

PATH = "tests.service.workloads"


def bowl(params: dict[str, Any], context: Context) -> float:
    """A quick one; the pause leaves time to be killed in."""
    time.sleep(context.settings.get("seconds", 0.0))
    return sum((value - 0.3) ** 2 for value in params.values())


def gated(params: dict[str, Any], context: Context) -> float:
    """Runs until the file ``go`` exists; a file ``started-PID`` says that it began."""
    _mark(context, f"started-{os.getpid()}", "")
    while not (_folder(context) / "go").exists():
        time.sleep(0.02)
    return params["x"]


def stuck(params: dict[str, Any], context: Context) -> float:
    """Native code that never gives the interpreter back: no thread of the process can do anything."""
    _mark(context, f"started-{os.getpid()}", "")
    ctypes.PyDLL(None).sleep(600)
    return 0.0


def behaves(params: dict[str, Any], context: Context) -> Any:
    """Does what the parameter ``how`` says."""
    print("said on stdout")
    logging.getLogger("workload").warning("said in a log")
    how = params["how"]
    if how == "nan":
        return float("nan")
    if how == "text":
        return {"value": "high"}
    if how == "missing":
        return {"loss": 1.0}
    if how == "raise":
        raise ZeroDivisionError("no volume\non that day")
    if how == "infeasible":
        raise Infeasible("no trades at all")
    if how == "hang":
        time.sleep(600)
    if how == "die":
        os.kill(os.getpid(), 9)
    if how == "exit":
        raise SystemExit(3)
    return {"value": 1.0, "extra": 2.0, "broken_extra": float("inf")}


def chatty(params: dict[str, Any], context: Context) -> float:
    """Prints too much, and draws from the global generator as careless code does."""
    for i in range(100_000):
        print("line", i)
    return random.random()


def _folder(context: Context) -> Path:
    return Path(context.settings["folder"])


def _mark(context: Context, name: str, line: str) -> None:
    if "folder" in context.settings:
        with (_folder(context) / name).open("a") as file:
            file.write(line + "\n")
