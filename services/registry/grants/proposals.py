"""Acts of two people on a project: propose, then sign or refuse.

Invariant: a proposal takes effect with its second signature of the office, in that signature's transaction, or not at
all. Who proposes for the office signs by proposing; a change of budget comes from the unit and needs two of the office.
"""

from datetime import datetime
from uuid import UUID, uuid4

import msgspec

from services.registry.grants import access, reading, store
from services.registry.grants.desk import Act, act_on, text
from services.registry.grants.effects import EFFECTS, Form
from services.registry.grants.records import APPROVALS_NEEDED, Decision, Proposal, ProposalKind
from services.registry.reasons import RegistryReason
from services.shared.errors import CommonReason, Refusal
from services.shared.postgres import Pool
from services.shared.staff import Staff


class DecisionForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signature, or a refusal with its reason."""

    decision: Decision
    reason: str = ""


async def propose(
    pool: Pool, round_id: str, candidate: str, kind: ProposalKind, form: Form, staff: Staff, now: datetime
) -> UUID:
    """The new proposal; raises Refusal of the effect's check, `wrong_state`, `proposal_open` or `reason_missing`."""
    effect = EFFECTS[kind]
    async with act_on(pool, round_id, candidate, staff, now) as act:
        from_unit = kind is ProposalKind.BUDGET_CHANGE
        access.require_unit(staff, act.project) if from_unit else access.require_office(staff, act.project)
        act.require_state(*effect.states)
        reason = text(form.reason, "reason", RegistryReason.REASON_MISSING)
        if await store.open_proposal_of(act.connection, act.project, kind) is not None:
            raise Refusal(RegistryReason.PROPOSAL_OPEN, f"A {kind} waits for signatures; sign or refuse it first.")
        content = msgspec.to_builtins(await effect.prepare(act, form))
        proposal = Proposal(uuid4(), kind, content, reason, staff.staff, now, [])
        await store.insert_proposal(act.connection, act.project, proposal)
        if not from_unit:
            await store.insert_signature(act.connection, proposal.proposal, staff.staff, Decision.APPROVE, "", now)
        await act.log(f"{kind}_proposed", {"proposal": str(proposal.proposal), "content": content})
    return proposal.proposal


async def decide(
    pool: Pool, round_id: str, candidate: str, proposal_id: UUID, form: DecisionForm, staff: Staff, now: datetime
) -> Proposal:
    """The proposal with this signature; raises Refusal `unknown_proposal`, `already_decided`, `same_person`, or what
    forbids its effect now."""
    async with act_on(pool, round_id, candidate, staff, now) as act:
        access.require_office(staff, act.project)
        proposal = await _open_proposal(act, proposal_id)
        if staff.staff == proposal.proposed_by or any(each.signer == staff.staff for each in proposal.signatures):
            raise Refusal(RegistryReason.SAME_PERSON, "You signed this already; a different colleague must.")
        why = text(
            form.reason, "reason", RegistryReason.REASON_MISSING, required=form.decision is Decision.REFUSE
        )  # fmt: skip
        await store.insert_signature(act.connection, proposal_id, staff.staff, form.decision, why, now)
        if form.decision is Decision.APPROVE and len(proposal.signatures) + 1 == APPROVALS_NEEDED:
            await _take_effect(act, proposal)
        verb = "signed" if form.decision is Decision.APPROVE else "refused"
        await act.log(f"{proposal.kind}_{verb}", {"proposal": str(proposal_id), "reason": why})
        return next(
            each for each in await reading.proposals(act.connection, act.project) if each.proposal == proposal_id
        )


async def _open_proposal(act: Act, proposal_id: UUID) -> Proposal:
    known = await reading.proposals(act.connection, act.project)
    found = next((each for each in known if each.proposal == proposal_id), None)
    if found is None:
        raise Refusal(RegistryReason.UNKNOWN_PROPOSAL, "This project has no such proposal; load the project again.")
    if found.state != "open":
        raise Refusal(RegistryReason.ALREADY_DECIDED, f"The proposal is {found.state} already.", state=found.state)
    return found


async def _take_effect(act: Act, proposal: Proposal) -> None:
    effect = EFFECTS[proposal.kind]
    signers = [each.signer for each in proposal.signatures]
    if await store.fit_signers(act.connection, signers, [role.value for role in access.OFFICE]) != len(signers):
        raise Refusal(
            CommonReason.FORBIDDEN,
            "Whoever signed first no longer signs for the office; refuse it and propose it again.",
        )
    act.require_state(*effect.states)
    await effect.apply(act, proposal.proposal, msgspec.convert(proposal.content, effect.form))
    await act.log(f"{proposal.kind}_effective", {"proposal": str(proposal.proposal)})
