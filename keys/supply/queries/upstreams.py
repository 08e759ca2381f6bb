"""What the gateway must know to make a call: the session behind a token, and its upstream."""

from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models.expressions import RawSQL
from django.views.decorators.debug import sensitive_variables

from keys.models import Allocation, ApiKey
from security import services as security


class Session(NamedTuple):
    """The allocation a session token speaks for; of these only `api_key` ever changes."""

    session_id: str
    allocation_id: int
    agent: str
    payers: list[str]
    api_key: str
    refusal_status: int | None


@dataclass(frozen=True, slots=True)
class Upstream:
    """An API key as a call needs it. `version`: as `HoldResult.key_version`.

    The secret is not in the representation.
    """

    slug: str
    version: str
    provider: str
    model: str
    base_url: str
    wire_formats: tuple[str, ...]
    secret: str = field(repr=False)


# In the order of `Session`.
SESSION_COLUMNS = ("session_id", "pk", "agent_id", "payers", "api_key_id", "refusal_status")


def session_of(session_id: str) -> Session | None:
    """The session, open or not; None when there is none."""
    found = Allocation.objects.filter(session_id=session_id).values_list(*SESSION_COLUMNS)
    return next(map(Session._make, found), None)


@sensitive_variables("secret")
def upstream_of(slug: str) -> Upstream:
    """A key with its secret, unsealed. Refusal: CannotUnseal."""
    versioned = "keys_apikey.xmin::text || '.' || keys_provider.xmin::text"
    api_key = (
        ApiKey.objects.select_related("provider")
        .annotate(version=RawSQL(versioned, ()))  # noqa: S611 - no values in it
        .get(pk=slug)
    )
    if api_key.sandbox:
        # Whatever secret it has is not for the sandbox, which only needs to tell keys apart.
        base_url, secret = settings.SANDBOX_URL, f"sandbox-{slug}"
    else:
        base_url = api_key.base_url or api_key.provider.base_url
        secret = security.unseal_from(api_key, "secret")
    return Upstream(
        slug,
        api_key.version,
        api_key.provider_id,
        api_key.model,
        _root(base_url),
        tuple(w for w in ("openai", "anthropic") if api_key.speaks(w)),
        secret,
    )


def _root(base_url: str) -> str:
    """Where the routes begin. A bare host is what Anthropic's clients are given, without a path."""
    root = base_url.rstrip("/")
    return f"{root}/v1" if root and not urlsplit(root).path else root
