"""Decide which changes need a second person."""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from common.refusal import to_json
from security import approvals, audit
from security.actor import Actor
from security.approval_models import Approval, ApprovalPolicy
from security.approvals import ApprovalKind
from security.audit_actions import Action
from security.deciders import has_two_deciders
from security.refusals import ApprovalOutdated, TooFewDeciders
from security.services.approvals import ask_approval


@dataclass(frozen=True, kw_only=True)
class PolicyTerms:
    """The terms of a policy; `role` is the name of the group that decides, or empty."""

    in_force: bool = True
    tokens_above: Decimal | None = None
    usd_above: Decimal | None = None
    rise_percent_above: int | None = None
    role: str = ""

    def as_json(self) -> dict[str, Any]:
        """The terms as the audit and an approval keep them."""
        return {name: to_json(value) for name, value in asdict(self).items()}


@transaction.atomic(durable=True)
def propose_policy(
    kind: ApprovalKind, *, terms: PolicyTerms, reason: str, actor: Actor, now: datetime
) -> Approval | None:
    """Change the policy of a kind at once if it is not in force; else ask for an approval.

    So nobody can switch a policy off, make a change alone and switch it on again. Returns the
    approval, or None when the policy was changed. Refusals: TooFewDeciders.
    """
    policy = _lock_policy(kind.slug)
    if policy.in_force_since is None:
        _set(policy, terms, reason=reason, actor=actor, now=now)
        return None
    before = terms_of(policy)
    approval, _ = ask_approval(
        kind=POLICY,
        subject=f"approval_policy:{kind.slug}",
        change={"before": before.as_json(), "after": terms.as_json()},
        effect=f"Now: {terms_in_words(before)}.\nThen: {terms_in_words(terms)}.",
        reason=reason,
        actor=actor,
        now=now,
    )
    return approval


def terms_of(policy: ApprovalPolicy) -> PolicyTerms:
    """The present terms of a policy."""
    return PolicyTerms(
        in_force=policy.in_force_since is not None,
        tokens_above=_plain(policy.tokens_above),
        usd_above=_plain(policy.usd_above),
        rise_percent_above=policy.rise_percent_above,
        role=policy.role.name if policy.role else "",
    )


def _lock_policy(slug: str) -> ApprovalPolicy:
    ApprovalPolicy.objects.get_or_create(kind=slug)
    return ApprovalPolicy.objects.select_for_update(no_key=True).get(kind=slug)


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    policy = _lock_policy(approval.subject.partition(":")[2])
    if terms_of(policy).as_json() != approval.change["before"]:
        raise ApprovalOutdated("The policy was changed since. Ask for the change again.")
    reason = f"asked for by {approval.asked_by}: {approval.reason}"
    _set(policy, _from_json(approval.change["after"]), reason=reason, actor=actor, now=now)


def _set(
    policy: ApprovalPolicy, terms: PolicyTerms, *, reason: str, actor: Actor, now: datetime
) -> None:
    kind, before = approvals.kind_of(policy.kind), terms_of(policy)
    policy.in_force_since = (policy.in_force_since or now) if terms.in_force else None
    policy.tokens_above, policy.usd_above = terms.tokens_above, terms.usd_above
    policy.rise_percent_above = terms.rise_percent_above
    policy.role = Group.objects.get(name=terms.role) if terms.role else None
    policy.save()
    if terms.in_force and not has_two_deciders(kind):
        raise TooFewDeciders(kind=policy.kind)
    audit.record(
        actor=actor,
        action=Action.APPROVAL_POLICY_CHANGE,
        subject=f"approval_policy:{policy.kind}",
        before=before.as_json(),
        after=terms.as_json(),
        reason=reason,
        at=now,
    )


def _from_json(terms: dict[str, Any]) -> PolicyTerms:
    amounts = ("tokens_above", "usd_above")
    return PolicyTerms(**terms | {name: terms[name] and Decimal(terms[name]) for name in amounts})


def terms_in_words(terms: PolicyTerms) -> str:
    """Which changes need a second person by these terms, and of which group."""
    if not terms.in_force:
        return "no second person is needed"
    above = {
        "rises above {:,f} tokens": terms.tokens_above,
        "rises above {:,f} USD": terms.usd_above,
        "rises by more than {} percent": terms.rise_percent_above,
    }
    measures = [words.format(value) for words, value in above.items() if value is not None]
    who = f", of the group {terms.role}," if terms.role else ""
    return f"a second person{who} decides {' or '.join(measures) or 'every change'}"


def _plain(amount: Decimal | None) -> Decimal | None:
    """The amount without trailing zeros."""
    return amount if amount is None else Decimal(format(amount.normalize(), "f"))


POLICY = approvals.register(
    ApprovalKind(
        slug="policy",
        meaning="A policy of approvals that is in force is changed or switched off.",
        permission="security.decide_approval",
        apply=_apply,
    )
)
