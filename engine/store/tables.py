"""The tables of the experiment store. The migrations make them; a test proves that both agree.

Wide columns (JSON, long text) stand last in a row, so that a scan of the others touches none of their pages.
Every time is seconds since the epoch (UTC) by the database's clock.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

_counter = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER counts up by itself on SQLite


def _study(**options: Any) -> Column:
    return Column("study_id", String, ForeignKey("studies.id", ondelete="CASCADE"), **options)


studies = Table(
    "studies",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("state", String, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("owner", String, nullable=False),
    Column("archived_at", Double),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("n_trials", Integer, nullable=False),
    Column("n_queued", Integer, nullable=False),
    Column("n_running", Integer, nullable=False),
    Column("n_complete", Integer, nullable=False),
    Column("n_failed", Integer, nullable=False),
    Column("n_infeasible", Integer, nullable=False),
    Column("n_abandoned", Integer, nullable=False),
    Column("best_value", Double),
    Column("best_number", Integer),
    Column("bucket_width", Integer, nullable=False),  # numbers per row of progress_buckets
    Column("search_text", Text, nullable=False),  # casefolded: name, objective, owner, tags
    Column("message", Text, nullable=False),
    Column("best_so_far", JSON, nullable=False),  # {"step", "points"}: a sparkline of bounded length
    Column("spec", JSON, nullable=False),
    Index(None, "created_at"),
    Index(None, "state", "created_at"),
)

trials = Table(
    "trials",
    metadata,
    _study(primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("state", String, nullable=False),
    Column("feasible", Boolean),
    Column("incumbent", Boolean, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("finished_order", Integer),
    Column("origin", String, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("error", Text, nullable=False),
    Column("params", JSON, nullable=False),
    Column("reason", JSON, nullable=False),
    Index(None, "study_id", "state", "number"),
    Index(None, "study_id", "finished_order", unique=True),
    Index(
        "ix_trials_incumbents",
        "study_id",
        "number",
        sqlite_where=text("incumbent = 1"),
        postgresql_where=text("incumbent"),
    ),
)

trial_values = Table(
    "trial_values",
    metadata,
    Column("study_id", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", String, primary_key=True),
    Column("value", Double, nullable=False),
    ForeignKeyConstraint(["study_id", "number"], ["trials.study_id", "trials.number"], ondelete="CASCADE"),
    Index(None, "study_id", "name", "value", "number"),
    sqlite_with_rowid=False,
)

trial_logs = Table(
    "trial_logs",
    metadata,
    Column("study_id", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    ForeignKeyConstraint(["study_id", "number"], ["trials.study_id", "trials.number"], ondelete="CASCADE"),
)

progress_buckets = Table(
    "progress_buckets",
    metadata,
    _study(primary_key=True),
    Column("bucket", Integer, primary_key=True),
    Column("n_complete", Integer, nullable=False),
    Column("n_failed", Integer, nullable=False),
    Column("n_infeasible", Integer, nullable=False),
    Column("failed_number", Integer),  # the first of each kind: one mark a bucket
    Column("infeasible_number", Integer),
    Column("low_number", Integer),
    Column("low_value", Double),
    Column("low_feasible", Boolean),
    Column("high_number", Integer),
    Column("high_value", Double),
    Column("high_feasible", Boolean),
    sqlite_with_rowid=False,
)

models = Table(
    "models",
    metadata,
    _study(primary_key=True),
    Column("n_observations", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("model", JSON, nullable=False),
    Column("candidates", JSON, nullable=False),
)

engines = Table(
    "engines",
    metadata,
    Column("id", String, primary_key=True),
    Column("host", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("lease_seconds", Double, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    _study(primary_key=True),
    Column("engine_id", String),  # empty once it was given back; the row stays, so that tokens only grow
    Column("token", BigInteger, nullable=False),
    Column("lease_seconds", Double, nullable=False),
    Column("leased_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Index(None, "engine_id"),
)

commands = Table(
    "commands",
    metadata,
    Column("id", _counter, primary_key=True, autoincrement=True),
    _study(nullable=False),
    Column("verb", String, nullable=False),
    Column("issued_by", String, nullable=False),
    Column("issued_at", Double, nullable=False),
    Column("acknowledged_at", Double),
    Column("accepted", Boolean),
    Column("note", Text, nullable=False),
    Index(None, "study_id", "id"),
    Index(
        "ix_commands_pending",
        "study_id",
        sqlite_where=text("acknowledged_at IS NULL"),
        postgresql_where=text("acknowledged_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    Column("id", _counter, primary_key=True, autoincrement=True),
    _study(),
    Column("at", Double, nullable=False),
    Column("actor", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("text", Text, nullable=False),
    Index(None, "study_id", "id"),
    sqlite_autoincrement=True,
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("seq", _counter, primary_key=True, autoincrement=False),
    Column("study_id", String),  # no foreign key: the record outlives what it tells of
    Column("hash", String, nullable=False),
    Column("event", Text, nullable=False),  # the canonical JSON that was hashed, byte for byte
    Index(None, "study_id", "seq"),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1; locked while an entry is added
    Column("seq", BigInteger, nullable=False),
    Column("hash", String, nullable=False),
)

# --- governance: what is live, and how it came to be ------------------------------------------------------

_optional_json = JSON(none_as_null=True)
_LIVE = text("state = 'live'")
_UNDER_WAY = text("state IN ('ramping', 'paused')")

scopes = Table(
    "scopes",
    metadata,
    Column("name", String, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("definition_version", Integer, nullable=False),
    Column("live_version", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by", String, nullable=False),
    Column("pending", _optional_json),  # a change that loosens the limits and waits for a second person
)

scope_definitions = Table(
    "scope_definitions",
    metadata,
    Column("scope", String, ForeignKey("scopes.name"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("actor", String, nullable=False),
    Column("confirmed_by", String),
    Column("reason", Text, nullable=False),
    Column("definition", JSON, nullable=False),
)

proposals = Table(
    "proposals",
    metadata,
    Column("id", String, primary_key=True),
    Column("scope", String, ForeignKey("scopes.name"), nullable=False),
    Column("state", String, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("author", String, nullable=False),
    Column("baseline_version", Integer, nullable=False),
    Column("digest", String, nullable=False),  # what an approval is bound to
    Column("evidence_digest", String),
    Column("study_id", String),  # no foreign key: the record outlives the study
    Column("trial_number", Integer),
    Column("created_at", Double, nullable=False),
    Column("changed_at", Double, nullable=False),
    Column("submitted_at", Double),
    Column("expires_at", Double),
    Column("due_at", Double),
    Column("step", Integer, nullable=False),  # of the ramp; 0 before it starts
    Column("step_at", Double),
    Column("gate_passed_by", String),
    Column("version", Integer),  # of the live registry, once it went live
    Column("title", Text, nullable=False),
    Column("rationale", Text, nullable=False),
    Column("note", Text, nullable=False),  # why it is in this state
    Column("editors", JSON, nullable=False),
    Column("changes", JSON, nullable=False),
    Column("params", JSON, nullable=False),
    Column("ramp", JSON, nullable=False),
    Column("plan", JSON, nullable=False),
    Column("sources", JSON, nullable=False),
    Column("evidence", _optional_json),
    Index(None, "scope", "state"),
    Index(None, "state", "created_at"),
    # At most one proposal of a scope is live and at most one is on its way, whatever the program believes.
    Index("ix_proposals_live", "scope", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
    Index("ix_proposals_under_way", "scope", unique=True, sqlite_where=_UNDER_WAY, postgresql_where=_UNDER_WAY),
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", _counter, primary_key=True, autoincrement=True),
    Column("proposal_id", String, ForeignKey("proposals.id"), nullable=False),
    Column("at", Double, nullable=False),
    Column("actor", String, nullable=False),
    Column("verdict", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("revoked_at", Double),
    Column("reason", Text, nullable=False),
    Column("revoked_because", Text, nullable=False),
    Index(None, "proposal_id", "id"),
    sqlite_autoincrement=True,
)

live_versions = Table(
    "live_versions",
    metadata,
    Column("scope", String, ForeignKey("scopes.name"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("actor", String, nullable=False),
    Column("proposal_id", String, ForeignKey("proposals.id")),  # empty for the values a scope began with
    Column("digest", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("approvers", JSON, nullable=False),
    Column("params", JSON, nullable=False),
)

live_events = Table(
    "live_events",
    metadata,
    Column("id", _counter, primary_key=True, autoincrement=True),
    Column("scope", String, nullable=False),  # '*' for the global kill switch, so that there is no foreign key
    Column("at", Double, nullable=False),
    Column("layer", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("version", Integer),
    Column("proposal_id", String),
    Column("step", Integer),
    Column("until", Double),
    Column("reason", Text, nullable=False),
    Column("params", _optional_json),  # empty where the layer ends
    Index(None, "scope", "layer", "id"),
    sqlite_autoincrement=True,
)

freeze_windows = Table(
    "freeze_windows",
    metadata,
    Column("id", _counter, primary_key=True, autoincrement=True),
    Column("scope", String, nullable=False),  # '*' for every scope
    Column("starts_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    Column("at", Double, nullable=False),
    Column("actor", String, nullable=False),
    Column("ended_by", String),  # ended before its time
    Column("reason", Text, nullable=False),
    Index(None, "scope", "ends_at"),
    sqlite_autoincrement=True,
)

live_metrics = Table(
    "live_metrics",
    metadata,
    Column("id", _counter, primary_key=True, autoincrement=True),
    Column("scope", String, ForeignKey("scopes.name"), nullable=False),
    Column("at", Double, nullable=False),
    Column("name", String, nullable=False),
    Column("value", Double, nullable=False),
    Column("actor", String, nullable=False),
    Column("proposal_id", String),  # the ramp step whose values it was measured on
    Column("step", Integer),
    Index(None, "scope", "id"),
    Index(None, "proposal_id", "step", "name"),
    sqlite_autoincrement=True,
)
