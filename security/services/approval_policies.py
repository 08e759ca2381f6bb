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
from security.deciders import has_two_deciders, rule_in_words
from security.reasons import check_reason
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
    above_needs: str = ApprovalPolicy.Above.TWO

    def as_json(self) -> dict[str, Any]:
        """The terms as the audit and an approval keep them."""
        return {name: to_json(value) for name, value in asdict(self).items()}


@transaction.atomic(durable=True)
def propose_policy(
    kind: ApprovalKind,
    *,
    terms: PolicyTerms,
    cost_centre: str = "",
    reason: str,
    actor: Actor,
    now: datetime,
) -> Approval | None:
    """Change the policy of a kind at once if it is not in force; else ask for an approval.

    Of kinds that are decided by amount, a cost centre can have a policy of its own. So nobody can
    switch a policy off, make a change alone and switch it on again. Returns the approval, or None
    when the policy was changed. Refusals: ReasonMissing, TooFewDeciders.
    """
    check_reason(reason)
    policy = _lock_policy(kind.slug, cost_centre if kind.by_amount else "")
    if policy.in_force_since is None:
        _set(policy, terms, reason=reason, actor=actor, now=now)
        return None
    before = terms_of(policy)
    approval, _ = ask_approval(
        kind=POLICY,
        subject=_address(policy),
        change={"before": before.as_json(), "after": terms.as_json()},
        effect=f"Now: {terms_in_words(before, kind)}.\nThen: {terms_in_words(terms, kind)}.",
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
        above_needs=policy.above_needs,
    )


def _lock_policy(slug: str, cost_centre: str) -> ApprovalPolicy:
    rows = ApprovalPolicy.objects.filter(kind=slug, cost_centre=cost_centre)
    if not rows.exists():
        ApprovalPolicy.objects.get_or_create(kind=slug, cost_centre=cost_centre)
    return rows.select_for_update(no_key=True).get()


def _address(policy: ApprovalPolicy) -> str:
    """The policy's name in the audit: `approval_policy:budget_request@research`."""
    part = f"@{policy.cost_centre}" if policy.cost_centre else ""
    return f"approval_policy:{policy.kind}{part}"


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    kind, _, cost_centre = approval.subject.partition(":")[2].partition("@")
    policy = _lock_policy(kind, cost_centre)
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
    policy.above_needs = terms.above_needs
    policy.role = Group.objects.get(name=terms.role) if terms.role else None
    policy.save()
    if terms.in_force and not has_two_deciders(kind, role=policy.role):
        raise TooFewDeciders(kind=policy.kind)
    audit.record(
        actor=actor,
        action=Action.APPROVAL_POLICY_CHANGE,
        subject=_address(policy),
        before=before.as_json(),
        after=terms.as_json(),
        reason=reason,
        at=now,
    )


def _from_json(terms: dict[str, Any]) -> PolicyTerms:
    amounts = ("tokens_above", "usd_above")
    return PolicyTerms(**terms | {name: terms[name] and Decimal(terms[name]) for name in amounts})


def terms_in_words(terms: PolicyTerms, kind: ApprovalKind | None = None) -> str:
    """Which changes need a second person by these terms, and of which group; of a kind that is
    decided by amount, which ones need two."""
    if kind and kind.by_amount:
        return _amounts_in_words(terms)
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


def _amounts_in_words(terms: PolicyTerms) -> str:
    if not terms.in_force:
        return "one person approves every amount"
    names = ("tokens_above", "usd_above", "rise_percent_above", "above_needs")
    policy = ApprovalPolicy(
        in_force_since=datetime.min,  # noqa: DTZ901 - only whether it is in force
        role=Group(name=terms.role) if terms.role else None,
        **{name: getattr(terms, name) for name in names},
    )
    whose = f" of the group {terms.role}" if terms.role else ""
    above = rule_in_words(policy).removesuffix(".")
    if not above:
        return f"one person{whose}, who could not have asked, approves every amount"
    below = whose if terms.above_needs == ApprovalPolicy.Above.TWO else ""
    return f"{above[0].lower()}{above[1:]}, and one person{below} below"


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
