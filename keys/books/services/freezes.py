"""Freeze and thaw what spends: an API key, a provider, an agent, a cost centre, or everything."""

from collections.abc import Callable, Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Model
from django_q.tasks import async_task

from alerts import services as alerts
from common.refusal import Refusal
from common.statements import fetch_unprepared
from keys.alert_kinds import FROZEN, THAWED
from keys.audit_actions import Action
from keys.books import sql
from keys.books.queries.freezes import is_frozen_agent
from keys.identity.queries.token_holders import token_holders
from keys.models import (
    EVERYTHING,
    Agent,
    ApiKey,
    CostCentre,
    Freeze,
    FreezeMode,
    Provider,
)
from keys.reasons import check_reason
from keys.refusals import (
    AgentNotFound,
    ApiKeyNotFound,
    CostCentreNotFound,
    FreezeNotFound,
    OwnFreeze,
    ProviderNotFound,
    WrongValue,
)
from security import audit, persons
from security.actor import Actor, ActorKind


@transaction.atomic(durable=True)
def freeze(
    scope: str, *, mode: str = FreezeMode.CUT, reason: str, actor: Actor, now: datetime
) -> tuple[Freeze, bool]:
    """Stop everything that `scope` spends: `key:…`, `provider:…`, `agent:…`, `centre:…` or `all`.

    When it returns, nothing is held for the scope any more, by no process. Every process that
    serves calls is told; with the mode `cut` it ends those that run. Returns the freeze and whether
    it was created: of a scope that is frozen, the mode can only change from `drain` to `cut`.
    Refusals: WrongValue, and that the scope does not exist.
    """
    _check(scope, mode, reason)
    row, is_new = Freeze.objects.get_or_create(
        scope=scope,
        thawed_at=None,
        defaults={
            "mode": mode,
            "reason": reason,
            "frozen_by": actor.name,
            "frozen_by_kind": actor.kind,
            "frozen_at": now,
        },
    )
    if is_new:
        _record(row, Action.FREEZE_CREATE, reason=reason, actor=actor, now=now)
        alerts.raise_alert(
            kind=FROZEN,
            dedup_key=f"frozen:{scope}",
            title=f"{scope} is frozen by {actor}",
            detail=reason,
            facts={"freeze_id": row.pk, "scope": scope, "mode": mode},
            now=now,
        )
        for slug in _keys_of(scope):
            async_task("keys.jobs.rotate_away", slug)
    elif mode == FreezeMode.CUT and _make_it_cut(row):
        _record(row, Action.FREEZE_CHANGE, reason=reason, actor=actor, now=now)
    fetch_unprepared(sql.ANNOUNCE, channel=sql.FREEZE_CHANNEL, freeze_lock=sql.FREEZE_LOCK)
    return row, is_new


@transaction.atomic(durable=True)
def thaw(freeze_id: int, *, reason: str, actor: Actor, now: datetime) -> tuple[Freeze, bool]:
    """Let a frozen scope spend again. Returns the freeze and whether this call thawed it.

    Refusals: OwnFreeze (it is the actor's own, or the actor is a frozen agent), FreezeNotFound,
    WrongValue.
    """
    check_reason(reason)
    row = Freeze.objects.select_for_update().filter(pk=freeze_id).first()
    if row is None:
        raise FreezeNotFound(freeze_id=freeze_id)
    if row.thawed_at:
        return row, False
    froze = Actor(name=row.frozen_by, kind=ActorKind(row.frozen_by_kind))
    is_own = _persons(actor, at=now) & _persons(froze, at=row.frozen_at)
    if is_own or (actor.kind == ActorKind.AGENT and is_frozen_agent(actor.name)):
        raise OwnFreeze(freeze_id=freeze_id)
    row.thawed_by, row.thawed_by_kind = actor.name, actor.kind
    row.thaw_reason, row.thawed_at = reason, now
    row.save(update_fields=["thawed_by", "thawed_by_kind", "thaw_reason", "thawed_at"])
    _record(row, Action.FREEZE_THAW, reason=reason, actor=actor, now=now)
    alerts.resolve_by_key(f"frozen:{row.scope}", actor=actor, note=reason, now=now)
    alerts.raise_alert(
        kind=THAWED,
        dedup_key=f"thawed:{row.pk}",
        title=f"{row.scope} is thawed by {actor}",
        detail=reason,
        facts={"freeze_id": row.pk, "scope": row.scope},
        now=now,
    )
    return row, True


def _persons(actor: Actor, *, at: datetime) -> set[str]:
    """Who acts, with any account and with any token of an agent."""
    return {*persons.identities(actor), *token_holders(actor, at)}


def _make_it_cut(row: Freeze) -> bool:
    drains = Freeze.objects.filter(pk=row.pk, thawed_at=None, mode=FreezeMode.DRAIN)
    row.mode = FreezeMode.CUT
    return drains.update(mode=FreezeMode.CUT) == 1


def _record(row: Freeze, action: Action, *, reason: str, actor: Actor, now: datetime) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=f"freeze:{row.pk}",
        related=[row.scope] if row.scope != EVERYTHING else [],
        after={"scope": row.scope, "mode": row.mode, "frozen": row.thawed_at is None},
        reason=reason,
        at=now,
    )


def _keys_of(scope: str) -> Iterable[str]:
    """The frozen API keys, whose sessions other keys may take."""
    kind, _, slug = scope.partition(":")
    if kind not in ("key", "provider"):
        return []
    named = {"pk": slug} if kind == "key" else {"provider": slug}
    return ApiKey.objects.filter(**named).values_list("pk", flat=True)


def _check(scope: str, mode: str, reason: str) -> None:
    check_reason(reason)
    if mode not in FreezeMode.values:
        raise WrongValue("Use cut or drain as the mode of the freeze.", field="mode")
    if scope == EVERYTHING:
        return
    kind, _, slug = scope.partition(":")
    if kind not in _SUBJECTS:
        raise WrongValue(
            "Use key:NAME, provider:NAME, agent:NAME, centre:NAME or all as the scope.",
            field="scope",
        )
    model, not_found = _SUBJECTS[kind]
    if not model._default_manager.filter(pk=slug).exists():
        raise not_found(slug)


_SUBJECTS: dict[str, tuple[type[Model], Callable[[str], Refusal]]] = {
    "key": (ApiKey, lambda slug: ApiKeyNotFound(key_id=slug)),
    "provider": (Provider, lambda slug: ProviderNotFound(provider=slug)),
    "agent": (Agent, lambda slug: AgentNotFound(agent=slug)),
    "centre": (CostCentre, lambda slug: CostCentreNotFound(cost_centre=slug)),
}
