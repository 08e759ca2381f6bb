"""Cost centres, agents and their tokens."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Model

from keys.audit_actions import Action
from keys.models import Agent, AgentToken, CostCentre
from keys.reasons import check_reason
from keys.refusals import (
    AgentNotFound,
    AlreadyExists,
    CostCentreClosed,
    CostCentreNotFound,
    TooManyTokens,
    WrongValue,
)
from security import audit, tokens
from security.actor import Actor

TOKEN_PREFIX = "bt"  # noqa: S105 - what agent tokens begin with, no secret
TOKEN_DAYS = 365
_LIVE_TOKENS_MAX = 2
_DAYS_MAX = 3650
ROOT_COST_CENTRE = "org"
RowT = TypeVar("RowT", bound=Model)
_NAME_MAX = 200
# Letters of Hindi and Persian and emoji are joined by them; alone, they show nothing.
_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def check_slug(slug: str) -> str:
    """`slug` if it can name a row. Refusals: WrongValue."""
    if not _SLUG.fullmatch(slug):
        raise WrongValue(
            f"{slug!r} cannot be used as a name. Use 1 to 64 of the characters a-z, 0-9, - and _, "
            "with a letter or digit first, such as research-2.",
            field="slug",
        )
    return slug


def check_name(name: str) -> str:
    """A name for people, on one line. Refusals: WrongValue, also if it shows nothing or hides some
    of its characters."""
    name = " ".join(name.split())
    if not 0 < len(name) <= _NAME_MAX:
        raise WrongValue(f"Use a name of 1 to {_NAME_MAX} characters.", field="name")
    shown = name.translate(dict.fromkeys(map(ord, _JOINERS)))
    if not shown or not shown.isprintable():
        raise WrongValue("Use a name without characters that cannot be seen.", field="name")
    return name


@transaction.atomic
def create_cost_centre(
    slug: str,
    *,
    name: str = "",
    parent: str | None = None,
    reason: str = "",
    actor: Actor,
    now: datetime,
) -> CostCentre:
    """Create a cost centre below `parent`, or a root without one.

    Refusals: AlreadyExists, CostCentreNotFound, CostCentreClosed, WrongValue.
    """
    above = lock_open_centre(parent) if parent else None
    centre = CostCentre(
        slug=check_slug(slug),
        name=check_name(name or slug),
        parent=above,
        path=[*(above.path if above else []), slug],
    )
    insert(centre)
    audit.record(
        actor=actor,
        action=Action.COST_CENTRE_CREATE,
        subject=f"centre:{slug}",
        after={"name": centre.name, "parent": parent},
        reason=reason,
        at=now,
    )
    return centre


@transaction.atomic
def create_agent_without_limits(
    slug: str, *, cost_centre: str, name: str = "", reason: str = "", actor: Actor, now: datetime
) -> Agent:
    """Create an agent that only the limits of its cost centres bound.

    Refusals: AlreadyExists, CostCentreNotFound, CostCentreClosed, WrongValue.
    """
    lock_open_centre(cost_centre)
    agent = insert(
        Agent(slug=check_slug(slug), name=check_name(name or slug), cost_centre_id=cost_centre)
    )
    audit.record(
        actor=actor,
        action=Action.AGENT_CREATE,
        subject=f"agent:{slug}",
        related=[f"centre:{cost_centre}"],
        after={"name": agent.name, "cost_centre": cost_centre},
        reason=reason,
        at=now,
    )
    return agent


def lock_open_centre(slug: str) -> CostCentre:
    """The cost centre, if it is open, locked: it is not moved or closed until the commit.

    Refusals: CostCentreNotFound, CostCentreClosed.
    """
    return check_open(
        slug, CostCentre.objects.select_for_update(no_key=True).filter(pk=slug).first()
    )


def check_open(slug: str, centre: CostCentre | None) -> CostCentre:
    """The cost centre, if it exists and is open. Refusals: CostCentreNotFound, CostCentreClosed."""
    if centre is None:
        raise CostCentreNotFound(cost_centre=slug)
    if centre.closed_at:
        raise CostCentreClosed(cost_centre=slug)
    return centre


def ensure_cost_centre_below_root(slug: str, *, actor: Actor, now: datetime) -> CostCentre:
    """The cost centre with this name, created below the root if it is missing."""
    if slug == ROOT_COST_CENTRE:
        return ensure_cost_centre(slug, actor=actor, now=now)
    if not CostCentre.objects.filter(pk=slug).exists():
        ensure_cost_centre(ROOT_COST_CENTRE, actor=actor, now=now)
    return ensure_cost_centre(slug, parent=ROOT_COST_CENTRE, actor=actor, now=now)


def ensure_cost_centre(
    slug: str, *, name: str = "", parent: str | None = None, actor: Actor, now: datetime
) -> CostCentre:
    """The cost centre with this name, created if it is missing."""
    found = CostCentre.objects.filter(pk=slug).first()
    return found or create_cost_centre(slug, name=name, parent=parent, actor=actor, now=now)


def insert(row: RowT) -> RowT:
    """Write a row that must be new, and return it. Refusals: AlreadyExists."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        if "_pkey" not in str(error):
            raise
        raise AlreadyExists(
            f"The {row._meta.verbose_name} {row.pk} already exists.", slug=row.pk
        ) from None
    return row


@transaction.atomic
def issue_token(
    agent: Agent,
    *,
    scopes: Iterable[str] = (AgentToken.Scope.SPEND, AgentToken.Scope.READ),
    days: int = TOKEN_DAYS,
    reason: str = "",
    actor: Actor,
    now: datetime,
) -> tuple[AgentToken, str]:
    """Create an agent token. Returns its row and the token itself, which is stored nowhere.

    An agent can have two live tokens, so that it can change from one to the other.
    Refusals: TooManyTokens, WrongValue, AgentNotFound.
    """
    scopes = list(scopes)
    if not 1 <= days <= _DAYS_MAX:
        raise WrongValue(f"Use 1 to {_DAYS_MAX} days as the lifetime of the token.", field="days")
    if not scopes or not set(scopes) <= set(AgentToken.Scope.values):
        known = ", ".join(AgentToken.Scope.values)
        raise WrongValue(f"Use one or more of {known} as the scopes of the token.", field="scopes")
    if not Agent.objects.select_for_update(no_key=True).filter(pk=agent.pk).exists():
        raise AgentNotFound(agent=agent.pk)
    if agent.tokens.filter(revoked_at=None, expires_at__gt=now).count() >= _LIVE_TOKENS_MAX:
        raise TooManyTokens(agent=agent.pk, live_max=_LIVE_TOKENS_MAX)
    fresh = tokens.new_token(TOKEN_PREFIX)
    row = AgentToken.objects.create(
        agent=agent,
        prefix=fresh.lookup_prefix,
        digest=fresh.digest,
        scopes=scopes,
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    audit.record(
        actor=actor,
        action=Action.TOKEN_ISSUE,
        subject=f"agent:{agent.pk}",
        related=[f"agent_token:{row.pk}"],
        after={"token": row.prefix, "scopes": row.scopes, "expires_at": row.expires_at},
        reason=reason,
        at=now,
    )
    return row, fresh.token


@transaction.atomic
def revoke_token(token: AgentToken, *, reason: str = "", actor: Actor, now: datetime) -> None:
    """End a token at once. A second call changes nothing."""
    if AgentToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
        audit.record(
            actor=actor,
            action=Action.TOKEN_REVOKE,
            subject=f"agent:{token.agent_id}",
            related=[f"agent_token:{token.pk}"],
            before={"token": token.prefix},
            reason=reason,
            at=now,
        )


@transaction.atomic
def disable_agent(agent: Agent, *, actor: Actor, reason: str, now: datetime) -> None:
    """Switch an agent off: no new allocations, its tokens stop working. A second call changes
    nothing. Refusals: WrongValue."""
    check_reason(reason)
    if Agent.objects.filter(pk=agent.pk, disabled_at=None).update(disabled_at=now):
        audit.record(
            actor=actor,
            action=Action.AGENT_DISABLE,
            subject=f"agent:{agent.pk}",
            after={"disabled": True},
            reason=reason,
            at=now,
        )


@transaction.atomic
def enable_agent(agent: Agent, *, reason: str = "", actor: Actor, now: datetime) -> None:
    """Switch an agent on again. A second call changes nothing. Refusals: CostCentreClosed."""
    if centre := CostCentre.objects.filter(agents=agent.pk, closed_at__isnull=False).first():
        raise CostCentreClosed(cost_centre=centre.pk)
    if Agent.objects.filter(pk=agent.pk, disabled_at__isnull=False).update(disabled_at=None):
        audit.record(
            actor=actor,
            action=Action.AGENT_ENABLE,
            subject=f"agent:{agent.pk}",
            after={"disabled": False},
            reason=reason,
            at=now,
        )
