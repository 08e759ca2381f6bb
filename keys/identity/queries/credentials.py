"""Authentication: the agent behind an agent token, or the session behind a session token."""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.views.decorators.debug import sensitive_variables

from common.statements import Statement, fetch
from keys.models import Agent, AgentToken
from security import tokens

AGENT_PREFIX = "bt"
SESSION_PREFIX = "bs"
# The scopes of a session token, valid for its own session only.
SESSION_SCOPES = frozenset({AgentToken.Scope.SPEND.value, AgentToken.Scope.READ.value})
_NOTED_EVERY = timedelta(minutes=1)


class TokenRow(NamedTuple):
    """A live token and the agent behind it."""

    id: int
    prefix: str
    digest: bytes
    agent: str
    cost_centre: str
    scopes: list[str]
    expires_at: datetime
    last_used_at: datetime | None


# As SQL, since every API call runs it: building a queryset takes longer than the query.
BEARER = Statement(
    """
    SELECT t.id, t.prefix, t.digest, a.slug AS agent, a.cost_centre_id AS cost_centre, t.scopes,
           t.expires_at, t.last_used_at
      FROM keys_agenttoken t JOIN keys_agent a ON a.slug = t.agent_id
     WHERE t.prefix = %(prefix)s AND t.revoked_at IS NULL AND t.expires_at > %(now)s
       AND a.disabled_at IS NULL
    """,
    TokenRow,
)


class Bearer(NamedTuple):
    """The sender of a valid token. `session_id` is set when the token is of one session only.

    `public`: the part of the token that may be shown. `use_is_old`: `last_used_at` of the token is
    over a minute old and should be updated.
    """

    agent: str
    cost_centre: str
    scopes: frozenset[str]
    public: str
    expires_at: datetime | None = None
    session_id: str | None = None
    token_id: int | None = None
    use_is_old: bool = False

    @property
    def sees_all(self) -> bool:
        """Whether the bearer may read the rows of every agent."""
        return AgentToken.Scope.OPERATE in self.scopes


@sensitive_variables("token")
def bearer_of(token: str, *, now: datetime) -> Bearer | None:
    """The bearer of this token at `now`.

    None when the token is unknown, expired or revoked, or its agent is switched off.
    """
    if token.startswith(f"{SESSION_PREFIX}_"):
        return _session_bearer(tokens.verify_derived(token, SESSION_PREFIX))
    return _agent_bearer(token, now=now)


@sensitive_variables("token")
def session_id_of(token: str) -> str | None:
    """The id of the session that `token` belongs to; None if it is not a valid session token.

    Reads no row: the session may have ended.
    """
    return tokens.verify_derived(token, SESSION_PREFIX)


def session_token(session_id: str) -> str:
    """The token of a session, which is computed and stored nowhere."""
    return tokens.derive_token(SESSION_PREFIX, session_id)


@sensitive_variables("token")
def agent_token_of(token: str, *, now: datetime) -> TokenRow | None:
    """The live agent token that `token` is; None if it is none."""
    prefix = tokens.lookup_prefix(token)
    if prefix is None:
        return None
    rows = fetch(BEARER, prefix=prefix, now=now)
    return rows[0] if rows and tokens.matches(token, rows[0].digest) else None


def live_agent_tokens(*, now: datetime) -> dict[str, tuple[bytes, str]]:
    """The keyed hash of each agent token that works, and its agent, by the token's prefix."""
    live = AgentToken.objects.filter(
        revoked_at=None, expires_at__gt=now, agent__disabled_at=None
    ).values_list("prefix", "digest", "agent")
    return {prefix: (bytes(digest), agent) for prefix, digest, agent in live}


@sensitive_variables("token")
def _agent_bearer(token: str, *, now: datetime) -> Bearer | None:
    row = agent_token_of(token, now=now)
    if row is None:
        return None
    return Bearer(
        agent=row.agent,
        cost_centre=row.cost_centre,
        scopes=frozenset(row.scopes),
        public=row.prefix,
        expires_at=row.expires_at,
        token_id=row.id,
        use_is_old=not row.last_used_at or row.last_used_at <= now - _NOTED_EVERY,
    )


def _session_bearer(session_id: str | None) -> Bearer | None:
    if session_id is None:
        return None
    agent = Agent.objects.filter(allocations__session_id=session_id, disabled_at=None).first()
    if agent is None:
        return None
    return Bearer(
        agent=agent.pk,
        cost_centre=agent.cost_centre_id,
        scopes=SESSION_SCOPES,
        public=session_id,
        session_id=session_id,
    )
