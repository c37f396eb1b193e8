"""Drives one leased study: commands, results, the next trials, its end. One short step at a time, never waiting."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.errors import Conflict, SpaceExhausted, TunedeskError
from engine.objectives.catalogue import allowed_modules
from engine.optimizer import Suggestion
from engine.service.executors import Executor
from engine.service.recovery import add_pending, baseline, new_optimizer, teach
from engine.service.task import Outcome, TrialTask, trial_seed
from engine.store import Lease, Store
from engine.store.records import CommandRecord, StudyRecord, StudyState, TrialRecord
from engine.store.states import AFTER, ENDED, why_not
from engine.study import MAX_TRIALS


class UnusableObjective(TunedeskError):
    """No trial of the study can be run on this engine; the message says why."""


class StudyDriver:
    """A study that this engine holds the lease of. The store is the truth; this follows it and moves it on.

    ``tick`` and ``give_back`` may raise LeaseLost (the study is another engine's now), StoreUnavailable (the same call
    may be made again, nothing is lost or done twice) and whatever else goes wrong (the study can't go on).
    on_finish is called with the study after every step in which trials finished.
    """

    def __init__(
        self, store: Store, lease: Lease, executor: Executor, on_finish: Callable[[StudyRecord], None]
    ) -> None:
        self._store = store
        self._lease = lease
        self._executor = executor
        self._on_finish = on_finish
        study = store.get_study(lease.study_id)
        self._spec = study.spec
        self._state: StudyState = study.state
        self._workers = study.spec.workers
        self._started = time.monotonic() - (0.0 if study.started_at is None else study.now - study.started_at)
        self._exhausted = ""
        self._running: dict[int, TrialRecord] = {}  # what the executor has
        self._outcomes: list[tuple[TrialTask, Outcome]] = []  # back from the executor, not in the store yet
        self._forget()

    def tick(self) -> bool:
        """One step; False once the study needs no engine: it ended, or it is paused and nothing runs."""
        self._harvest()
        self._follow_store()
        self._obey_commands()
        if self._state == "queued":
            self._move("running")
        if self._state == "running":
            self._ask()
            self._submit()
        if self._running:
            return True
        end = self._ending()
        if end is None and self._state not in ("paused", *ENDED):
            return True
        self._save_last_model()
        if end is not None:
            self._move(*end)
        return False

    def give_back(self) -> None:
        """Writes what has come back, kills what runs and queues it again for the engine that comes next."""
        self._harvest()
        self._executor.close()
        for number, trial in sorted(self._running.items()):
            reason = "The engine was stopped while it ran."
            self._store.retry_trial(self._lease, number, trial.attempt, reason, counts=False)
            del self._running[number]
        if self._state == "running":
            self._move("queued")

    def close(self) -> None:
        """Kills what runs and writes nothing."""
        self._executor.close()

    @property
    def busy(self) -> bool:
        """Whether the next step is due at once: there are more trials to think of."""
        return self._state == "running" and self._wants_more

    # --- what is in the store ---------------------------------------------------------------------------

    def _forget(self) -> None:
        """Back to the beginning: the next look at the store rebuilds the optimizer from all of its trials."""
        self._revision = -1
        self._optimizer = new_optimizer(self._spec)
        self._n_finished = 0
        self._n_modelled = 0  # how many finished trials the last model in the store has seen
        self._pending: dict[int, Suggestion] = {}  # trials in the store without a result
        self._queued: dict[int, TrialRecord] = {}  # those of them that wait for a worker
        self._new: Suggestion | None = None  # asked for, not in the store yet
        self._model: tuple[int, Mapping[str, Any], Sequence[Mapping[str, Any]]] | None = None  # likewise

    def _follow_store(self) -> None:
        """Takes in what came into the store: results, trials that people added, another budget."""
        revision = self._store.revision(self._lease.study_id)
        if revision == self._revision:
            return
        study = self._store.get_study(self._lease.study_id)
        self._spec, self._state = study.spec, study.state
        news = self._store.finished_trials(study.id, after=self._n_finished)
        unfinished = {t.number: t for t in self._store.unfinished_trials(study.id)}
        if self._new is not None and (unfinished.keys() | {t.number for t in news}) - self._pending.keys():
            # A person added a trial, or a new one of ours was written just before the connection broke.
            self._forget()
            return self._follow_store()
        abandoned: list[TrialRecord] = []
        if self._revision < 0 or self._pending.keys() - unfinished.keys() - {t.number for t in news}:
            abandoned, _ = self._store.list_trials(study.id, states=["abandoned"], limit=MAX_TRIALS)
        for trial in (*news, *abandoned):
            if trial.state != "abandoned":
                self._n_finished += 1
            elif trial.number not in self._pending and self._revision >= 0:
                continue
            suggestion = self._pending.pop(trial.number, None) or add_pending(self._optimizer, trial)
            teach(self._optimizer, suggestion, trial)
            self._queued.pop(trial.number, None)
            self._running.pop(trial.number, None)
        for number, trial in unfinished.items():
            if number not in self._pending:
                self._pending[number] = add_pending(self._optimizer, trial)
            if number not in self._running:
                self._queued[number] = trial
        if news:
            self._on_finish(study)
        self._revision = revision

    def _obey_commands(self) -> None:
        for command in self._store.take_commands(self._lease):
            self._obey(command)

    def _obey(self, command: CommandRecord) -> None:
        reason = why_not(command.verb, self._state)
        if reason is not None:
            self._store.acknowledge(self._lease, command.id, accepted=False, note=f"Refused: {reason}.")
            return
        state = AFTER[command.verb][self._state]
        if state == "queued":  # for the next free engine, which is this one
            state = "running"
        self._store.acknowledge(self._lease, command.id, state=state)
        self._state = state
        if command.verb == "cancel":
            self._executor.kill()
            self._running.clear()

    # --- results ----------------------------------------------------------------------------------------

    def _harvest(self) -> None:
        """Writes what came back. What it means to the optimizer is read from the store, in its order."""
        self._outcomes += self._executor.poll()
        while self._outcomes:
            task, outcome = self._outcomes[0]
            if task.number in self._running:  # else it was abandoned meanwhile
                self._write(task, outcome)
                self._running.pop(task.number)
            del self._outcomes[0]

    def _write(self, task: TrialTask, outcome: Outcome) -> None:
        store, lease, error, log = self._store, self._lease, outcome.error, outcome.log
        if outcome.state == "unusable":
            raise UnusableObjective(error)
        try:
            if outcome.state == "lost":
                store.retry_trial(lease, task.number, task.attempt, error, log=log)
            else:
                store.finish_trial(
                    lease, task.number, task.attempt, outcome.state, outcome.values, error=error, log=log
                )
        except Conflict:  # it has its result: a person decided, or it was written just before the connection broke
            self._revision = min(self._revision, 0)

    # --- new trials -------------------------------------------------------------------------------------

    def _ask(self) -> None:
        """One new trial, if a worker is free for it and the budget allows it.

        Only one a step: its worker begins while the next is thought out, and commands are heard in between.
        """
        if self._new is None and self._wants_more:
            try:
                self._new = self._next_suggestion()
            except SpaceExhausted as error:
                self._exhausted = str(error)
                return
            record = self._optimizer.model_record()
            if record is not None:
                self._model = self._n_finished, record, self._optimizer.candidates()
        if self._model is not None:
            self._store.save_model(self._lease, *self._model)
            self._n_modelled = self._model[0]
            self._model = None
        if self._new is not None:
            self._add(self._new)

    @property
    def _wants_more(self) -> bool:
        limit = min(self._spec.workers, self._spec.budget_trials - self._n_finished)
        return len(self._pending) < limit and not self._exhausted and not self._out_of_time

    def _next_suggestion(self) -> Suggestion:
        if self._optimizer.number == 0 and (defaults := baseline(self._spec)) is not None:
            return self._optimizer.add_pending(0, defaults, "default", {"text": "The defaults of the objective."})
        return self._optimizer.ask(1)[0]

    def _add(self, suggestion: Suggestion) -> None:
        try:
            trial = self._store.add_trial(
                self._lease,
                suggestion.params,
                origin=suggestion.origin,
                reason=suggestion.reason,
                number=suggestion.number,
            )
        except Conflict:  # another trial came in between
            self._forget()
            return
        self._new = None
        self._pending[trial.number] = suggestion
        self._queued[trial.number] = trial

    def _submit(self) -> None:
        if self._spec.manual:
            return  # they wait for a report
        if self._workers != self._spec.workers:
            if self._running:
                return  # the pool is made anew once it is empty
            self._workers = self._spec.workers
            self._executor.resize(self._workers)
        for number in sorted(self._queued)[: max(0, self._workers - len(self._running))]:
            trial = self._start(number)
            del self._queued[number]
            if trial.state == "running":
                self._running[number] = trial
                self._executor.submit(self._task(trial))

    def _start(self, number: int) -> TrialRecord:
        try:
            return self._store.start_trial(self._lease, number)
        except Conflict:  # abandoned by a person, or started just before the connection broke
            return self._store.get_trial(self._lease.study_id, number)

    def _task(self, trial: TrialRecord) -> TrialTask:
        spec = self._spec
        return TrialTask(
            number=trial.number,
            attempt=trial.attempt,
            objective=spec.objective,
            params=trial.params,
            seed=trial_seed(spec.seed, trial.number),
            settings=dict(spec.settings),
            objectives=tuple(o.name for o in spec.objectives),
            limited=tuple(c.name for c in spec.outcome_constraints),
            timeout=spec.trial_timeout,
            allowed=tuple(allowed_modules()),
        )

    # --- its end ----------------------------------------------------------------------------------------

    def _ending(self) -> tuple[StudyState, str] | None:
        """With nothing running: the state to end in and why, None while there is more to do."""
        if self._state == "stopping":
            return "stopped", ""
        if self._state != "running" or (self._pending and not self._spec.manual):
            return None
        if self._n_finished >= self._spec.budget_trials:
            return "complete", ""
        if self._exhausted and not self._pending:
            return "complete", self._exhausted
        if self._out_of_time:
            return "complete", f"The budget of {self._spec.budget_seconds:g} s is used up."
        return None

    def _save_last_model(self) -> None:
        """What the last trials taught: no suggestion follows them that would have asked for it."""
        if self._state not in ENDED and self._n_finished > self._n_modelled:
            record = self._optimizer.model_record()
            if record is not None:
                self._store.save_model(self._lease, self._n_finished, record, self._optimizer.preview())
            self._n_modelled = self._n_finished

    def _move(self, state: StudyState, message: str = "") -> None:
        self._store.set_state(self._lease, state, message)
        self._state = state

    @property
    def _out_of_time(self) -> bool:
        budget = self._spec.budget_seconds
        return budget is not None and time.monotonic() - self._started >= budget
