"""Everything that people write, whether from the dashboard, the CLI or the API: the only way in.

Each function checks the right of the actor, checks that the thing can be done in the present state, and writes it
with its audit entry in one transaction. NotAllowed, NotFound, Conflict and InvalidInput say in a sentence why nothing
was written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from sqlalchemy.engine import Connection, Row

from engine.errors import InvalidInput, NotAllowed
from engine.governance import audit
from engine.governance.actors import Actor
from engine.governance.scope_changes import check_launch
from engine.store import Store, commands, events, leases, studies, transfer, trials
from engine.store.records import VERBS, CommandRecord, StudyState, TrialRecord, Verb
from engine.store.states import AFTER, ENDED, why_not
from engine.store.values import plain
from engine.study import MAX_TRIALS, MAX_WORKERS, StudySpec


def create_study(store: Store, spec: StudySpec, actor: Actor, *, state: StudyState = "queued") -> str:
    """Writes a study for an engine to take and returns its id. state: 'queued', or 'paused' to wait for a resume."""
    actor.check("create")
    if state not in ("queued", "paused"):
        raise InvalidInput("state", f"a new study is queued or paused, not {state!r}.")
    check_launch(store, spec)
    with store.transaction() as connection:
        id_ = studies.insert(connection, spec, actor.name, state)
        events.add(connection, id_, actor.name, "create", f"Created {spec.name}.")
        definition = plain("study", spec.to_dict())
        audit.append(connection, actor, "study.create", id_, {"state": state, "definition": definition})
    return id_


def import_study(store: Store, path: str | Path, actor: Actor, *, copy: bool = False) -> str:
    """Reads a file of ``Store.export_study`` and returns the study's id: that of the file, a new one for a copy.

    A study that was on its way arrives paused. Raises Conflict if the store has it already, InvalidInput naming the
    line that is wrong.
    """
    actor.check("import")
    file = transfer.parse(transfer.read_file(Path(path)))
    with store.transaction() as connection:
        id_ = transfer.write(connection, file, new_id=studies.new_id() if copy else None)
        details = {"file": Path(path).name, "name": file.spec.name, "copy": copy}
        audit.append(connection, actor, "study.import", id_, details)
    return id_


def send_command(store: Store, study_id: str, verb: Verb, actor: Actor) -> CommandRecord:
    """Sends pause, resume, stop or cancel to the engine that drives the study.

    Without a living engine it takes effect at once, and the record comes back acknowledged. Raises NotAllowed if the
    study's state, with the commands already on their way, rules it out.
    """
    actor.check("command")
    if verb not in VERBS:
        raise InvalidInput("verb", f"{verb!r} is no command; commands are {', '.join(VERBS)}.")
    settled = _settle(store, study_id)
    with store.transaction() as connection:
        study = _lock(connection, study_id)
        waiting = commands.pending(connection, study.id)
        state: StudyState = study.state
        for earlier in waiting:
            state = AFTER[earlier.verb].get(state, state)
        if reason := why_not(verb, state):
            for earlier in settled:
                if earlier.verb == verb and earlier.accepted:
                    return earlier
            if waiting and why_not(verb, study.state) is None:
                reason = f"{waiting[-1].verb} is already on its way to the engine"
            raise NotAllowed(f"The study {study.name} can't be {_PARTICIPLE[verb]}: {reason}.")
        id_ = commands.insert(connection, study, verb, actor.name)
        at_once = leases.holder(connection, study.id) is None
        if at_once:
            _shut_out(connection, study.id)
            _carry_out(connection, study.id, verb, id_)
        words = f"{_PARTICIPLE[verb].capitalize()} by {actor.name}." if at_once else f"{actor.name} asked to {verb}."
        events.add(connection, study.id, actor.name, "command", words)
        audit.append(connection, actor, f"study.{verb}", study.id, {"command": id_, "at_once": at_once})
        return commands.get(connection, id_)


def rename_study(store: Store, study_id: str, name: str, actor: Actor) -> None:
    """Gives the study another name; id, trials, notes and tags stay."""
    actor.check("edit")
    with store.transaction() as connection:
        study = _lock(connection, study_id)
        spec = _spec(study)
        _redefine(connection, study, dataclasses.replace(spec, name=_name(name)), actor, {"name": [spec.name, name]})


def edit_study(
    store: Store,
    study_id: str,
    actor: Actor,
    *,
    budget_trials: int | None = None,
    workers: int | None = None,
    notes: str | None = None,
    tags: tuple[str, ...] | None = None,
) -> None:
    """Changes the budget, the number of workers, the notes or the tags; None leaves a thing as it is.

    A study that was complete goes on by itself if its new budget leaves trials to run. The engine reads the
    definition again whenever the revision has moved.
    """
    actor.check("edit")
    changes: dict[str, Any] = {}
    if budget_trials is not None:
        changes["budget_trials"] = _whole("budget.trials", budget_trials, MAX_TRIALS)
    if workers is not None:
        changes["workers"] = _whole("workers", workers, MAX_WORKERS)
    if notes is not None:
        changes["notes"] = str(notes)
    if tags is not None:
        changes["tags"] = tuple(dict.fromkeys(str(t).strip() for t in tags if str(t).strip()))
    with store.transaction() as connection:
        study = _lock(connection, study_id)
        if study.state in ("stopped", "cancelled", "failed") and set(changes) & {"budget_trials", "workers"}:
            raise NotAllowed(f"The study {study.name} has ended ({study.state}): its budget no longer matters.")
        spec = _spec(study)
        changes = {name: value for name, value in changes.items() if value != getattr(spec, name)}
        if not changes:
            return
        words = {name: plain(name, [getattr(spec, name), value]) for name, value in changes.items()}
        _redefine(connection, study, dataclasses.replace(spec, **changes), actor, words)
        n_finished = study.n_complete + study.n_failed + study.n_infeasible
        if study.state == "complete" and changes.get("budget_trials", 0) > n_finished:
            studies.set_state(connection, studies.lock(connection, study.id), "queued")


def archive_study(store: Store, study_id: str, actor: Actor, *, archived: bool = True) -> None:
    """Takes a study that doesn't run out of the lists, or puts it back; nothing is deleted."""
    actor.check("archive")
    with store.transaction() as connection:
        study = _lock(connection, study_id)
        if archived and study.state in ("running", "stopping"):
            raise NotAllowed(f"The study {study.name} is {study.state}: pause, stop or cancel it before archiving it.")
        if archived and study.state == "queued":
            raise NotAllowed(f"The study {study.name} waits for an engine: pause or cancel it before archiving it.")
        if archived == (study.archived_at is not None):
            return
        studies.update(connection, study.id, archived_at=study.now if archived else None)
        verb = "archive" if archived else "restore"
        events.add(connection, study.id, actor.name, verb, f"{verb.capitalize()}d by {actor.name}.")
        audit.append(connection, actor, f"study.{verb}", study.id)


def enqueue_trial(store: Store, study_id: str, params: Mapping[str, Any], actor: Actor) -> TrialRecord:
    """Puts a point of the person's choice in the queue, to be run before the engine's own suggestions.

    Raises InvalidInput naming the parameter that is missing, unknown or out of range.
    """
    actor.check("enqueue")
    with store.transaction() as connection:
        study = _lock(connection, study_id)
        _check_goes_on(study)
        checked = _spec(study).space.check(params)
        trial = trials.insert(
            connection, study, checked, origin="manual", reason={"text": f"Asked for by {actor.name}."}
        )
        events.add(connection, study.id, actor.name, "enqueue", f"Trial {trial.number} was added by {actor.name}.")
        audit.append(connection, actor, "trial.enqueue", study.id, {"number": trial.number, "params": trial.params})
        return trial


def report_trial(
    store: Store,
    study_id: str,
    actor: Actor,
    *,
    number: int | None = None,
    params: Mapping[str, Any] | None = None,
    values: Mapping[str, float] | None = None,
    state: Literal["complete", "failed", "infeasible"] = "complete",
    error: str = "",
) -> TrialRecord:
    """The result of a trial of a manual study: of a trial that waits (``number``) or of a new point (``params``).

    Raises NotAllowed for a study that an engine evaluates itself, Conflict if the trial has its result already,
    InvalidInput for values that aren't finite or are missing.
    """
    actor.check("report")
    if (number is None) == (params is None):
        raise InvalidInput("number", "give either the number of a trial that waits or the parameters of a new one.")
    with store.transaction() as connection:
        study = _lock(connection, study_id)
        spec = _spec(study)
        if not spec.manual:
            raise NotAllowed(
                f"The engine evaluates the trials of {study.name} itself: only manual studies take reports."
            )
        _check_goes_on(study)
        if params is not None:
            reason = {"text": f"Reported by {actor.name}."}
            number = trials.insert(connection, study, spec.space.check(params), origin="manual", reason=reason).number
        assert number is not None
        if trials.get(connection, study.id, number).state == "queued":
            trials.start(connection, studies.lock(connection, study.id), number)
        locked = studies.lock(connection, study.id)
        trial = trials.finish(connection, locked, number, None, state, values, error)
        events.add(connection, study.id, actor.name, "report", f"Trial {number} was reported by {actor.name}: {state}.")
        details = {"number": number, "state": state, "values": trial.values, "params": trial.params}
        audit.append(connection, actor, "trial.report", study.id, details)
        return trial


_PARTICIPLE: dict[Verb, str] = {
    "pause": "paused",
    "resume": "resumed",
    "stop": "stopped",
    "cancel": "cancelled",
}


def _lock(connection: Connection, study_id: str) -> Row:
    return studies.lock(connection, studies.find(connection, study_id))


def _spec(study: Row) -> StudySpec:
    return StudySpec.from_stored(study.spec)


def _settle(store: Store, study_id: str) -> list[CommandRecord]:
    """Carries out the commands that a dead engine never answered, if there are any; how each of them ended."""
    with store.snapshot() as connection:
        if not commands.pending(connection, studies.find(connection, study_id)):
            return []
    with store.transaction() as connection:
        study = _lock(connection, study_id)
        waiting = commands.pending(connection, study.id)
        if leases.holder(connection, study.id) is not None:
            return []
        _shut_out(connection, study.id)
        for command in waiting:
            _carry_out(connection, study.id, command.verb, command.id)
        return [commands.get(connection, command.id) for command in waiting]


def _shut_out(connection: Connection, study_id: str) -> None:
    """Ends the lease of a stale engine, so that it can't write when it comes back; what it ran is queued again."""
    leases.revoke(connection, study_id)
    trials.recover(connection, study_id, "The engine or worker that ran it died.")


def _carry_out(connection: Connection, study_id: str, verb: Verb, command_id: int) -> None:
    study = studies.lock(connection, study_id)
    state = AFTER[verb].get(study.state)
    if state is None:
        commands.acknowledge(connection, study, command_id, False, f"Refused: {why_not(verb, study.state)}.")
        return
    studies.set_state(connection, study, "stopped" if state == "stopping" else state)  # nothing runs any more
    commands.acknowledge(connection, study, command_id, True, _AT_ONCE)


_AT_ONCE = "Carried out at once: no engine held the study."


def _redefine(connection: Connection, study: Row, spec: StudySpec, actor: Actor, changes: Mapping[str, Any]) -> None:
    studies.redefine(connection, study.id, spec)
    words = ", ".join(f"{name.replace('_', ' ')} {old!r} → {new!r}" for name, (old, new) in changes.items())
    events.add(connection, study.id, actor.name, "edit", f"{actor.name} changed {words}.")
    audit.append(connection, actor, "study.edit", study.id, {"changes": changes})


def _check_goes_on(study: Row) -> None:
    if study.state in ENDED or study.state == "stopping":
        raise NotAllowed(f"The study {study.name} is {study.state}: it takes no more trials.")


def _name(name: str) -> str:
    name = str(name).strip()
    if not name or len(name) > 200 or any(ord(c) < 32 for c in name):
        raise InvalidInput("name", "has to have 1 to 200 characters, without line breaks.")
    return name


def _whole(field: str, value: Any, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= high:
        raise InvalidInput(field, f"must be a whole number from 1 to {high}, not {value!r}.")
    return value
