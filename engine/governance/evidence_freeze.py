"""Evidence as it is frozen with a proposal: the pack's own data with its hash, and where the values come from."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import InvalidInput
from engine.governance.change import digest_of
from engine.store.governance_records import ProposalRecord
from engine.store.records import StudyRecord, TrialRecord
from engine.store.values import plain

if TYPE_CHECKING:
    from engine.evidence import EvidencePack


def freeze(evidence: EvidencePack | Mapping[str, Any] | None) -> tuple[dict[str, Any] | None, str | None]:
    """(data, SHA-256 of their canonical JSON). The hash of an EvidencePack is its own ``digest``.

    Raises InvalidInput for what is no evidence pack.
    """
    if evidence is None:
        return None, None
    data = evidence if isinstance(evidence, Mapping) else evidence.to_dict()
    verdict = data.get("verdict")
    if not isinstance(verdict, Mapping) or verdict.get("answer") not in ("yes", "not yet", "no"):
        raise InvalidInput("evidence", "is no evidence pack: it has no verdict.")
    frozen: dict[str, Any] = plain("evidence", dict(data))
    return frozen, digest_of(frozen)


def answer(proposal: ProposalRecord) -> str:
    """'yes', 'not yet', 'no', or 'missing' without a pack."""
    return "missing" if proposal.evidence is None else str(proposal.evidence["verdict"]["answer"])


def altered(proposal: ProposalRecord) -> str:
    """Why the stored evidence isn't what was frozen; empty if it is."""
    found = None if proposal.evidence is None else digest_of(proposal.evidence)
    if found != proposal.evidence_digest:
        return f"The evidence of the proposal {proposal.id} was altered after it was frozen."
    return ""


def sources(study: StudyRecord, trial: TrialRecord) -> dict[str, Any]:
    """Where the values of a trial come from: study with the hash of its definition, outcome, code."""
    definition = plain("study", study.spec.to_dict())
    return {
        "study": {"id": study.id, "name": study.name, "sha256": digest_of(definition), "definition": definition},
        "trial": {"number": trial.number, "params": trial.params, "values": trial.values},
        "code": code_of(study.spec.objective),
    }


def code_of(objective: str) -> dict[str, str | None]:
    """The program's version, and the hash of the file that the objective is in, without importing it."""
    try:
        version: str | None = importlib.metadata.version("tunedesk")
    except importlib.metadata.PackageNotFoundError:
        version = None
    module = objective.partition(":")[0]
    try:
        spec = importlib.util.find_spec(module) if ":" in objective else None
    except (ImportError, ValueError, AttributeError):
        spec = None
    path = Path(spec.origin) if spec is not None and spec.origin else None
    known = path is not None and path.is_file()
    sha = hashlib.sha256(path.read_bytes()).hexdigest() if path is not None and known else None
    return {"tunedesk": version, "objective": objective, "sha256": sha}
