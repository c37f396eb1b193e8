"""A study as one file, and back: definition, trials, logs, models, events and commands, without loss.

The file is JSON Lines (gzipped if its name ends in .gz): a header, a line a row, and an end line with the number of
lines and their SHA-256, so that a cut or edited file is noticed. Counts, incumbents, feasibility and progress aren't in
it: they are computed from the trials again. A lease isn't either: a study that was on its way arrives paused.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from engine.errors import Conflict, InvalidInput, InvalidStudy, StoreError
from engine.store import studies
from engine.store.rebuild import Derived
from engine.store.records import FINISHED, VERBS
from engine.store.states import AFTER, ENDED
from engine.store.tables import commands, events, models, trial_logs, trial_values, trials
from engine.store.tables import studies as study_table
from engine.store.values import dumps, outcomes, plain, text
from engine.study import StudySpec

FORMAT = "tunedesk-study"
VERSION = 1
_STUDY_FIELDS: dict[str, tuple[type, ...]] = {
    "id": (str,), "state": (str,), "revision": (int,), "owner": (str,), "archived_at": (float, type(None)),
    "created_at": (float,), "started_at": (float, type(None)), "finished_at": (float, type(None)),
    "message": (str,), "spec": (dict,),
}  # fmt: skip
_TRIAL_FIELDS: dict[str, tuple[type, ...]] = {
    "number": (int,), "state": (str,), "attempt": (int,), "finished_order": (int, type(None)), "origin": (str,),
    "created_at": (float,), "started_at": (float, type(None)), "finished_at": (float, type(None)), "error": (str,),
    "params": (dict,), "reason": (dict,), "values": (dict,),
}  # fmt: skip
_OTHER_FIELDS: dict[str, dict[str, tuple[type, ...]]] = {
    "log": {"number": (int,), "attempt": (int,), "text": (str,)},
    "model": {
        "n_observations": (int,), "revision": (int,), "created_at": (float,), "model": (dict,), "candidates": (list,)
    },
    "event": {"at": (float,), "actor": (str,), "kind": (str,), "text": (str,)},
    "command": {
        "verb": (str,), "issued_by": (str,), "issued_at": (float,), "acknowledged_at": (float, type(None)),
        "accepted": (bool, type(None)), "note": (str,),
    },
}  # fmt: skip
_TABLES = {"log": trial_logs, "model": models, "event": events, "command": commands}
_CHUNK = 1000
_ANY_LENGTH = 2**40


# --- out ------------------------------------------------------------------------------------------------


def export_lines(connection: Connection, study_id: str) -> Iterator[str]:
    """The lines of a study's file. Raises NotFound."""
    study_id = studies.find(connection, study_id)
    digest, n = hashlib.sha256(), 0
    for record in _records(connection, study_id):
        line = dumps(record)
        digest.update(line.encode() + b"\n")
        n += 1
        yield line
    yield dumps({"end": {"lines": n, "sha256": digest.hexdigest()}})


def write_file(lines: Iterable[str], path: Path) -> None:
    """Writes all lines or no file. Raises StoreError if the place can't be written."""
    handle, partial = -1, ""
    try:
        handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as raw:
            # Without name and time, the same study gives the same bytes.
            out = gzip.GzipFile("", "wb", 6, raw, mtime=0) if path.suffix == ".gz" else raw
            for line in lines:
                out.write(line.encode() + b"\n")
            if out is not raw:
                out.close()
        os.replace(partial, path)
        partial = ""
    except OSError as error:
        raise StoreError(f"{path} can't be written: {error.strerror}.") from None
    finally:
        if partial:
            Path(partial).unlink(missing_ok=True)


def _records(connection: Connection, study_id: str) -> Iterator[dict[str, Any]]:
    columns = [study_table.c[name] for name in _STUDY_FIELDS]
    study = connection.execute(sa.select(*columns).where(study_table.c.id == study_id)).one()
    yield {"format": FORMAT, "version": VERSION, "study": dict(study._mapping)}
    values = _rows(connection, trial_values, study_id, [trial_values.c.number, trial_values.c.name])
    pending = next(values, None)
    for trial in _rows(connection, trials, study_id, [trials.c.number]):
        own: dict[str, float] = {}
        while pending is not None and pending["number"] == trial["number"]:
            own[pending["name"]] = pending["value"]
            pending = next(values, None)
        yield {"trial": {name: trial[name] for name in _TRIAL_FIELDS if name != "values"} | {"values": own}}
    orders = {
        "log": [trial_logs.c.number, trial_logs.c.attempt],
        "model": [models.c.n_observations],
        "event": [events.c.id],
        "command": [commands.c.id],
    }
    for kind, fields in _OTHER_FIELDS.items():
        for row in _rows(connection, _TABLES[kind], study_id, orders[kind]):
            yield {kind: {name: row[name] for name in fields}}


def _rows(
    connection: Connection, table: sa.Table, study_id: str, order: list[sa.Column[Any]]
) -> Iterator[Mapping[str, Any]]:
    query = sa.select(table).where(table.c.study_id == study_id).order_by(*order)
    yield from connection.execute(query, execution_options={"yield_per": _CHUNK}).mappings()  # type: ignore[misc]


# --- in -------------------------------------------------------------------------------------------------


def read_file(path: Path) -> Iterator[str]:
    """Lines of a file, gzipped or not. Raises InvalidInput if it can't be read."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rt", encoding="utf-8") if packed else path.open(encoding="utf-8") as lines:
            yield from lines
    except OSError as error:
        raise InvalidInput(str(path), f"can't be read: {error.strerror or 'it is damaged'}.") from None
    except (EOFError, zlib.error, UnicodeDecodeError):
        raise InvalidInput(str(path), "can't be read: it is cut off or damaged.") from None


@dataclass(frozen=True)
class StudyFile:
    """A file that was read and checked whole. rows: by kind, 'value' among them."""

    study: dict[str, Any]
    spec: StudySpec
    rows: dict[str, list[dict[str, Any]]]
    derived: Derived


def parse(lines: Iterable[str]) -> StudyFile:
    """Reads and checks a file, so that the write afterwards is short. Raises InvalidInput naming the line that is
    wrong."""
    reader = _Reader(lines)
    study = _header(next(reader, None))
    spec = _spec(study["spec"])
    derived = Derived(study["spec"])
    rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in ("trial", "value", *_TABLES)}
    for kind, row in reader:
        if kind == "trial":
            values = row.pop("values")
            if row["state"] == "running":
                row |= {"state": "queued", "started_at": None}
            derived.add(row, values)
            rows["value"] += [{"number": row["number"], "name": name, "value": v} for name, v in values.items()]
        rows[kind].append(row)
    return StudyFile(study, spec, rows, derived)


def write(connection: Connection, file: StudyFile, *, new_id: str | None = None) -> str:
    """Writes the study and returns its id: that of the file, or ``new_id`` for a copy.

    Raises Conflict if the store has a study of that id, InvalidInput if the file's rows don't fit together.
    """
    study, study_id = file.study, new_id or file.study["id"]
    if connection.scalar(sa.select(study_table.c.id).where(study_table.c.id == study_id)):
        raise Conflict(f"The store has a study {study_id} already: import it as a copy, under a new id.")
    state = study["state"] if study["state"] in (*ENDED, "paused") else "paused"
    kept = ("revision", "archived_at", "created_at", "started_at", "finished_at", "message")
    columns = {name: study[name] for name in kept}
    studies.insert_row(connection, file.spec, study["owner"], id=study_id, state=state, **columns)
    for kind, rows in file.rows.items():
        table = {"trial": trials, "value": trial_values, **_TABLES}[kind]
        derived = {"feasible": None, "incumbent": False} if kind == "trial" else {}
        try:
            for start in range(0, len(rows), _CHUNK):
                chunk = [{"study_id": study_id, **row, **derived} for row in rows[start : start + _CHUNK]]
                connection.execute(table.insert(), chunk)
        except IntegrityError:
            raise InvalidInput("file", f"holds a {kind} twice, or one of a trial that it lacks.") from None
    file.derived.write(connection, study_id)
    return study_id


class _Reader(Iterator[tuple[str, dict[str, Any]]]):
    """(kind, row) of each line after checking it; the header comes first, the end line isn't given out."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._digest, self._n = hashlib.sha256(), 0

    def __next__(self) -> tuple[str, dict[str, Any]]:
        line = next(self._lines, None)
        where = f"line {self._n + 1}"
        if line is None:
            raise InvalidInput(where, "is missing: the file is cut off.")
        try:
            record = json.loads(line, parse_constant=_no_constant)
        except ValueError:
            raise InvalidInput(where, "is not JSON: this is no file of a study, or it is damaged.") from None
        if not isinstance(record, dict):
            raise InvalidInput(where, "is not a JSON object: this is no file of a study, or it is damaged.")
        if "end" in record:
            if record["end"] != {"lines": self._n, "sha256": self._digest.hexdigest()}:
                raise InvalidInput(where, "doesn't fit the lines before it: the file was cut or edited.")
            raise StopIteration
        self._digest.update(line.rstrip("\r\n").encode() + b"\n")
        self._n += 1
        if self._n == 1:
            return "header", record
        [(kind, row)] = record.items() if len(record) == 1 else [("", None)]
        fields = _TRIAL_FIELDS if kind == "trial" else _OTHER_FIELDS.get(kind)
        if fields is None:
            raise InvalidInput(where, f"holds {kind or 'several things'!r}, which no file of a study has.")
        return kind, _checked(where, kind, row, fields)


def _header(record: tuple[str, dict[str, Any]] | None) -> dict[str, Any]:
    header = record[1] if record else {}
    if header.get("format") != FORMAT:
        raise InvalidInput("line 1", "is not the header of a study's file.")
    if header.get("version") != VERSION:
        raise InvalidInput("line 1", "was written by another version of Tunedesk: update this program.")
    study = _checked("line 1", "study", header.get("study"), _STUDY_FIELDS)
    if study["state"] not in (*ENDED, *AFTER["stop"], "stopping"):
        raise InvalidInput("line 1", f"{study['state']!r} is no state of a study.")
    return study


def _checked(where: str, kind: str, row: Any, fields: Mapping[str, tuple[type, ...]]) -> dict[str, Any]:
    """The row if it has exactly these fields, with values of these types that both databases can hold."""
    if not isinstance(row, dict) or row.keys() != fields.keys():
        raise InvalidInput(where, f"is not a whole {kind}: it has to hold {', '.join(fields)}.")
    out = {}
    for name, types in fields.items():
        value = row[name]
        if float in types and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        wrong = not isinstance(value, types) or (isinstance(value, bool) and bool not in types)
        if wrong or (isinstance(value, float) and not math.isfinite(value)):
            raise InvalidInput(where, f"{name} can't be {value!r}.")
        if isinstance(value, int) and abs(value) >= 2**31:
            raise InvalidInput(where, f"{name} can't be as large as {value}.")
        out[name] = text(value, _ANY_LENGTH) if isinstance(value, str) else value
        if isinstance(value, (dict, list)):
            out[name] = plain(f"{where}, {name}", value)
    if kind == "trial":
        _check_trial(where, out)
    if kind == "command" and out["verb"] not in VERBS:
        raise InvalidInput(where, f"{out['verb']!r} is no command.")
    return out


def _check_trial(where: str, trial: dict[str, Any]) -> None:
    if trial["state"] not in (*FINISHED, "queued", "running"):
        raise InvalidInput(where, f"{trial['state']!r} is no state of a trial.")
    try:
        trial["values"] = outcomes(trial["values"])
    except InvalidInput as error:
        raise InvalidInput(where, str(error)) from None
    if trial["values"] and trial["state"] != "complete":
        raise InvalidInput(where, f"a trial that is {trial['state']} has no values.")


def _spec(definition: Mapping[str, Any]) -> StudySpec:
    try:
        return StudySpec.from_stored(definition)
    except (InvalidInput, InvalidStudy) as error:
        raise InvalidInput("line 1", f"the definition is not valid: {error}") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InvalidInput("line 1", f"the definition is not valid: {type(error).__name__} {error}.") from None


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")
