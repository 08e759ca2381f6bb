"""What the gateway reads to make a call: the session behind a token, and the provider to call."""

from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models.expressions import RawSQL
from django.views.decorators.debug import sensitive_variables

from keys.models import Allocation, ApiKey
from security import services as security


class Session(NamedTuple):
    """The allocation behind a session token. Of these fields only `api_key` ever changes."""

    session_id: str
    allocation_id: int
    agent: str
    payers: list[str]
    api_key: str
    refusal_status: int | None


class ModelLimits(NamedTuple):
    """What a model can take in and write, as far as the catalogue knows; None: not known."""

    context_tokens: int | None = None
    output_tokens_max: int | None = None


@dataclass(frozen=True, slots=True)
class Upstream:
    """An API key as a call needs it. `version`: as `HoldResult.key_version`. `limits`: of `model`.

    The secret is not in the representation.
    """

    slug: str
    version: str
    provider: str
    model: str
    base_url: str
    wire_formats: tuple[str, ...]
    secret: str = field(repr=False)
    limits: ModelLimits = ModelLimits()


# In the order of `Session`.
SESSION_COLUMNS = ("session_id", "pk", "agent_id", "payers", "api_key_id", "refusal_status")


def session_of(session_id: str) -> Session | None:
    """The session with this id, open or closed; None if it does not exist."""
    sessions = Allocation.objects.filter(session_id=session_id).values_list(*SESSION_COLUMNS)
    return next(map(Session._make, sessions), None)


@sensitive_variables("secret")
def upstream_of(slug: str) -> Upstream:
    """An API key with its unsealed secret. Refusals: CannotUnseal. Raises ApiKey.DoesNotExist."""
    versioned = "keys_apikey.xmin::text || '.' || keys_provider.xmin::text"
    api_key = (
        ApiKey.objects.select_related("provider")
        .annotate(version=RawSQL(versioned, ()))  # noqa: S611 - no values in it
        .get(pk=slug)
    )
    if api_key.sandbox:
        # The key's secret is not sent to the sandbox, which only needs to tell keys apart.
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
        _limits(api_key),
    )


def _limits(api_key: ApiKey) -> ModelLimits:
    served = api_key.served_models.select_related("model").filter(model__name=api_key.model).first()
    if served is None:
        return ModelLimits()
    on_key = [served.output_tokens_max, served.model.output_tokens_max]
    most = min((tokens for tokens in on_key if tokens is not None), default=None)
    return ModelLimits(served.model.context_tokens, most)


def _root(base_url: str) -> str:
    """The URL below which the routes are; for a bare host, as Anthropic documents it, its `/v1`."""
    root = base_url.rstrip("/")
    return f"{root}/v1" if root and not urlsplit(root).path else root
