"""`tunedesk proposal …`: propose values, review them, make them live."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.live import ReasonOption, ScopeArgument, values
from engine.cli.options import DEFAULT_STORE, JsonOption, ObjectivesOption, StoreOption, allow, open_store
from engine.cli.output import ago, params, print_json, print_table
from engine.errors import InvalidInput

if TYPE_CHECKING:
    from engine.store.governance_records import ProposalRecord

app = typer.Typer(help="Propose values for a scope, review them, make them live.", no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The proposal's id, or its beginning.")]


def told(proposal: ProposalRecord) -> None:
    typer.echo(f"{proposal.id} for {proposal.scope} is {proposal.state.replace('_', ' ')}. {proposal.note}".rstrip())


@app.command("list")
def list_proposals(
    store: StoreOption = DEFAULT_STORE,
    scope: Annotated[str | None, typer.Option(help="Only of this scope.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="Only in this state. Repeatable.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Proposals, the newest first."""
    from engine.governance.proposals import page

    with open_store(store, readonly=True) as opened:
        found, total = page(opened, scope=scope, states=state, limit=limit)
    if as_json:
        print_json([dataclasses.asdict(p) for p in found])
        return
    from rich.table import Table

    table = Table("id", "scope", "state", "changes", "author", "made", "", box=None, header_style="bold")
    for p in found:
        table.add_row(p.id, p.scope, p.state, params(p.changes), p.author, ago(p.now - p.created_at), p.note)
    print_table(table)
    typer.echo(f"{len(found)} of {total} proposals")


@app.command()
def show(proposal: IdArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """What it changes, how it would go live, what its evidence and its reviewers say."""
    from engine.governance import proposals

    with open_store(store, readonly=True) as opened:
        found = proposals.get(opened, proposal)
        said, diff = proposals.reviews(opened, found.id), proposals.diff(opened, found.id)
    if as_json:
        print_json(dataclasses.asdict(found) | {"reviews": [dataclasses.asdict(r) for r in said]})
        return
    told(found)
    typer.echo(f"By {', '.join([found.author, *found.editors])}: {found.rationale}")
    for name, (old, new) in diff.items():
        typer.echo(f"  {name}: {old} → {new}")
    typer.echo(f"In {len(found.plan)} steps, against version {found.baseline_version}.")
    verdict = (found.evidence or {}).get("verdict", {})
    typer.echo(f"Evidence: {verdict.get('sentence') or verdict.get('answer') or 'none'}")
    for r in said:
        taken = f" (revoked: {r.revoked_because})" if r.revoked_at is not None else ""
        typer.echo(f"  {r.actor}, {r.verdict.replace('_', ' ')}{taken}: {r.reason}")
    typer.echo(f"Digest {found.digest}")


@app.command()
def create(
    scope: ScopeArgument,
    given: Annotated[list[str] | None, typer.Argument(metavar="NAME=VALUE…", help="Values of your choice.")] = None,
    rationale: Annotated[str, typer.Option(help="Why these values are better.")] = "",
    study: Annotated[str | None, typer.Option(help="Take the values of a trial of this study.")] = None,
    trial: Annotated[int | None, typer.Option(help="The trial's number.")] = None,
    evidence: Annotated[Path | None, typer.Option(help="An evidence pack, as JSON.")] = None,
    ramp: Annotated[Path | None, typer.Option(help="Stages, dwell and gates, as JSON.")] = None,
    submit: Annotated[bool, typer.Option("--submit", help="Put it before the reviewers at once.")] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Make a draft, from values or from a trial; prints its id."""
    from engine.governance import proposals
    from engine.governance.actors import local_actor

    options: dict[str, Any] = {"rationale": rationale, "evidence": _json(evidence), "ramp": _json(ramp)}
    if (study is None) == (not given) or (study is None) != (trial is None):
        raise InvalidInput("NAME=VALUE", "give values, or --study and --trial.")
    with open_store(store) as opened:
        if study is not None and trial is not None:
            made = proposals.propose_trial(opened, scope, study, trial, local_actor(), **options)
        else:
            made = proposals.propose(opened, scope, values(given or []), local_actor(), **options)
        if submit:
            proposals.submit(opened, made.id, local_actor())
    typer.echo(made.id)


@app.command()
def submit(proposal: IdArgument, store: StoreOption = DEFAULT_STORE) -> None:
    """Put a draft before the reviewers."""
    from engine.governance import proposals
    from engine.governance.actors import local_actor

    with open_store(store) as opened:
        told(proposals.submit(opened, proposal, local_actor()))


@app.command()
def rebase(proposal: IdArgument, store: StoreOption = DEFAULT_STORE) -> None:
    """Compare it with what is live now; approvals are revoked."""
    from engine.governance import proposals
    from engine.governance.actors import local_actor

    with open_store(store) as opened:
        told(proposals.rebase(opened, proposal, local_actor()))


@app.command()
def replay(proposal: IdArgument, store: StoreOption = DEFAULT_STORE, objectives: ObjectivesOption = None) -> None:
    """Run the proposal's trial again, here; exit code 1 if it doesn't reproduce."""
    from engine.governance.actors import local_actor
    from engine.service.replay import replay as run_again

    allow(objectives)
    with open_store(store) as opened:
        said = run_again(opened, proposal, local_actor())
    typer.echo(said.text)
    if not said.ok:
        raise typer.Exit(1)


@app.command()
def withdraw(proposal: IdArgument, reason: ReasonOption, store: StoreOption = DEFAULT_STORE) -> None:
    """Take your own proposal back."""
    from engine.governance import proposals
    from engine.governance.actors import local_actor

    with open_store(store) as opened:
        told(proposals.withdraw(opened, proposal, local_actor(), reason))


@app.command()
def approve(
    proposal: IdArgument,
    reason: ReasonOption,
    digest: Annotated[str, typer.Option(help="Of what you looked at, as `tunedesk proposal show` prints it.")],
    despite_evidence: Annotated[bool, typer.Option("--despite-evidence", help="The evidence doesn't say yes.")] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Approve what somebody else proposed."""
    from engine.governance import reviews
    from engine.governance.actors import local_actor

    with open_store(store) as opened:
        told(reviews.approve(opened, proposal, local_actor(), reason, digest=digest, despite_evidence=despite_evidence))


@app.command()
def reject(proposal: IdArgument, reason: ReasonOption, store: StoreOption = DEFAULT_STORE) -> None:
    """Say no; one no is enough."""
    from engine.governance import reviews
    from engine.governance.actors import local_actor

    with open_store(store) as opened:
        told(reviews.reject(opened, proposal, local_actor(), reason))


@app.command("request-changes")
def request_changes(proposal: IdArgument, reason: ReasonOption, store: StoreOption = DEFAULT_STORE) -> None:
    """Send it back to its authors."""
    from engine.governance import reviews
    from engine.governance.actors import local_actor

    with open_store(store) as opened:
        told(reviews.request_changes(opened, proposal, local_actor(), reason))


@app.command()
def start(
    proposal: IdArgument,
    store: StoreOption = DEFAULT_STORE,
    after: Annotated[float | None, typer.Option(metavar="HOURS", help="By itself, in so many hours.")] = None,
) -> None:
    """Make an approved proposal live, by its ramp; now or later."""
    from engine.governance import rollout
    from engine.governance.actors import local_actor

    with open_store(store) as opened:
        if after is None:
            told(rollout.start(opened, proposal, local_actor()))
        else:
            told(rollout.schedule(opened, proposal, time.time() + after * 3600.0, local_actor()))


@app.command()
def pause(proposal: IdArgument, reason: ReasonOption, store: StoreOption = DEFAULT_STORE) -> None:
    """Hold a ramp at its step."""
    from engine.governance import rollout
    from engine.governance.actors import local_actor

    with open_store(store) as opened:
        told(rollout.pause(opened, proposal, local_actor(), reason))


@app.command()
def resume(
    proposal: IdArgument,
    reason: ReasonOption,
    pass_gate: Annotated[bool, typer.Option("--pass-gate", help="Decide that an inconclusive gate passes.")] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Go on with a paused ramp."""
    from engine.governance import rollout
    from engine.governance.actors import local_actor

    with open_store(store) as opened:
        told(rollout.resume(opened, proposal, local_actor(), reason, pass_gate=pass_gate))


@app.command()
def abort(proposal: IdArgument, reason: ReasonOption, store: StoreOption = DEFAULT_STORE) -> None:
    """Stop a ramp; the values from before count at once."""
    from engine.governance import rollout
    from engine.governance.actors import local_actor

    with open_store(store) as opened:
        told(rollout.abort(opened, proposal, local_actor(), reason))


def _json(file: Path | None) -> Any:
    from engine.study import read_text

    if file is None:
        return None
    try:
        return json.loads(read_text(file))
    except ValueError:
        raise InvalidInput(str(file), "is not JSON.") from None
