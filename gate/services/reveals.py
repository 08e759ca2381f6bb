"""Show the secret of an API key: asked for, approved by a second person, shown once, alerted."""

from datetime import datetime, timedelta

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from alerts import services as alerts
from gate.alert_kinds import SECRET_REVEALED
from gate.audit_actions import Action
from gate.models import Reveal
from gate.refusals import RevealNotOpen
from keys.models import ApiKey
from keys.reasons import check_reason
from security import approvals, audit
from security import services as security
from security.actor import Actor
from security.approvals import ApprovalKind
from security.models import Approval
from security.refusals import ApprovalOutdated

SHOWN_SECONDS = 60
_OPEN = timedelta(minutes=15)


@transaction.atomic(durable=True)
def ask_reveal(api_key: ApiKey, *, reason: str, actor: Actor, now: datetime) -> Reveal:
    """Ask to see the secret of a key. A second person always decides, also without a policy.
    Refusals: WrongValue."""
    check_reason(reason)
    approval, _ = security.ask_approval(
        kind=REVEAL,
        subject=api_key.scope,
        change={"key_id": api_key.pk, "secret_url": api_key.secret_url},
        effect=f"{actor} sees the secret of the API key {api_key.pk} once, for {SHOWN_SECONDS} "
        "seconds, and can use it outside Butler from then on.",
        reason=reason,
        actor=actor,
        now=now,
    )
    return Reveal.objects.create(api_key=api_key, approval=approval)


@sensitive_variables("secret")
def show_secret(reveal: Reveal, *, actor: Actor, now: datetime) -> str:
    """The secret, for the person who asked, once within 15 minutes of the approval.

    That it was shown is recorded and alerted before it leaves. Refusals: RevealNotOpen,
    CannotUnseal.
    """
    secret = security.unseal_from(reveal.api_key, "secret")
    _note_shown(reveal, actor=actor, now=now)
    return secret


@transaction.atomic(durable=True)
def _note_shown(reveal: Reveal, *, actor: Actor, now: datetime) -> None:
    # The conditional update decides which of two requests shows it.
    shown = Reveal.objects.filter(
        pk=reveal.pk,
        shown_at=None,
        approval__status=Approval.Status.APPROVED,
        approval__decided_at__gt=now - _OPEN,
        approval__asked_by_name=actor.name,
        approval__asked_by_kind=actor.kind,
    ).update(shown_at=now)
    if not shown:
        raise RevealNotOpen(key_id=reveal.api_key_id)
    approval = reveal.approval
    audit.record(
        actor=actor,
        action=Action.SECRET_REVEAL,
        subject=reveal.api_key.scope,
        related=[approval.address],
        after={"approved_by": approval.decided_by},
        reason=approval.reason,
        at=now,
    )
    alerts.raise_alert(
        kind=SECRET_REVEALED,
        dedup_key=f"{SECRET_REVEALED.slug}:{reveal.pk}",
        title=f"{actor} has seen the secret of the API key {reveal.api_key_id}",
        detail=f"Approved by {approval.decided_by}. Reason: {approval.reason}",
        key_id=reveal.api_key_id,
        now=now,
    )


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    """Nothing is changed: the approval itself opens the secret to who asked."""
    api_key = ApiKey.objects.get(pk=approval.change["key_id"])
    if api_key.secret_url != approval.change["secret_url"]:
        raise ApprovalOutdated("The secret of the key was replaced since. Ask again.")


REVEAL = approvals.register(
    ApprovalKind(
        slug="reveal",
        meaning="A person wants to see the secret of an API key.",
        permission="gate.decide_reveal",
        apply=_apply,
        wait=timedelta(days=1),
    )
)
