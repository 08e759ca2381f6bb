"""What the gateway reads to make a call: the session behind a token, and the provider to call."""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models.expressions import RawSQL
from django.views.decorators.debug import sensitive_variables

from keys.models import Allocation, ApiKey, ServedModel
from keys.supply.model_facts import ModelFacts
from security import services as security
from security.vault import CannotUnseal


class Session(NamedTuple):
    """The allocation behind a session token. `price_model`: the model that its price is of;
    `token_cost_max`: the most that a token of it can cost, in USD. `used`: tokens used when it was
    read. Apart from these, only `api_key` and the price ever change."""

    session_id: str
    allocation_id: int
    agent: str
    payers: list[str]
    api_key: str
    refusal_status: int | None
    price_id: int
    price_model: str
    named_models: list[str]
    model_mismatch: str
    token_cost_max: Decimal
    allocated: int
    used: int


class Served(NamedTuple):
    """A model that a key serves, and what it costs there.

    `aliases` and `pattern` are other names that mean it, see `CatalogueModel`. `token_cost_max`:
    the most that one token can cost, in USD, `token_cost_max_plain` in a request that is served as
    the standard or a cheaper tier. `request_cost`: what a request costs beside its tokens at most,
    `search_cost`: what a web search by the provider costs, `search_cost_max`: one of any kind, all
    in USD. Limits and costs that are None and empty `outputs` are unknown.
    """

    name: str
    price_id: int
    token_cost_max: Decimal
    token_cost_max_plain: Decimal
    aliases: tuple[str, ...] = ()
    pattern: str = ""
    output_tokens_max: int | None = None
    context_tokens: int | None = None
    outputs: tuple[str, ...] = ()
    facts: ModelFacts = ModelFacts()
    request_cost: Decimal = Decimal(0)
    search_cost: Decimal | None = None
    search_cost_max: Decimal = Decimal(0)

    def rank(self, name: str) -> int | None:
        """How `name`, in lower case, means this model: by its name 0, by an alias 1, by the pattern
        2; None if it does not."""
        if name == self.name.lower():
            return 0
        if name in self.aliases:
            return 1
        return 2 if self.pattern and re.fullmatch(self.pattern, name) else None


_NAMES_CACHED = 1_000


@dataclass(frozen=True, slots=True)
class Upstream:
    """An API key as a call needs it. `version`: as `HoldResult.key_version`. `served` are all its
    models; the default, `model`, is among them. `passed_fields`: see `ApiKey`.

    The secret is not in the representation.
    """

    slug: str
    version: str
    provider: str
    model: str
    base_url: str
    wire_formats: tuple[str, ...]
    secret: str = field(repr=False)
    served: tuple[Served, ...] = ()
    passed_fields: tuple[str, ...] = ()
    _by_name: dict[str, Served | None] = field(default_factory=dict, repr=False, compare=False)

    def serving(self, name: str) -> Served | None:
        """The model that `name` means on this key; None if it serves none of that name."""
        if name not in self._by_name:
            if len(self._by_name) >= _NAMES_CACHED:
                self._by_name.clear()
            self._by_name[name] = self._find(name.lower())
        return self._by_name[name]

    def _find(self, name: str) -> Served | None:
        ranked = [(rank, each) for each in self.served if (rank := each.rank(name)) is not None]
        # As the statements of the books: of several patterns the longest.
        return min(ranked, key=lambda r: (r[0], -len(r[1].pattern)))[1] if ranked else None


# In the order of `Session`.
SESSION_COLUMNS = (
    "session_id",
    "pk",
    "agent_id",
    "payers",
    "api_key_id",
    "refusal_status",
    "price_id",
    "price__model",
    "named_models",
    "model_mismatch",
    "token_cost_max",
    "allocated",
    "used",
)


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
        if api_key.needs_secret:
            raise CannotUnseal(f"The secret of {slug} was not entered for {api_key.url}.")
        base_url, secret = api_key.url, security.unseal_from(api_key, "secret")
    return Upstream(
        slug,
        api_key.version,
        api_key.provider_id,
        api_key.model,
        root_of(base_url),
        tuple(w for w in ("openai", "anthropic") if api_key.speaks(w)),
        secret,
        served_models(slug),
        tuple(api_key.passed_fields),
    )


def served_models(slug: str) -> tuple[Served, ...]:
    """Every model that a key serves."""
    rows = ServedModel.objects.filter(api_key=slug).select_related("model", "price")
    return tuple(_served(row) for row in rows.order_by("model__name"))


def _served(row: ServedModel) -> Served:
    known = row.model
    limits = [most for most in (row.output_tokens_max, known.output_tokens_max) if most]
    rates = row.price.rates
    request_cost = rates.call_max(web_searches=0)
    return Served(
        known.name,
        row.price_id,
        row.price.token_cost_max,
        row.price.token_cost_max_as({"flex"}),
        tuple(known.aliases),
        known.pattern,
        min(limits, default=None),
        known.context_tokens,
        tuple(known.outputs),
        known.facts,
        request_cost,
        None if rates.web_search is None else rates.web_search / 1000,
        rates.call_max(web_searches=1) - request_cost,
    )


def root_of(base_url: str) -> str:
    """The URL below which the routes are; for a bare host, as Anthropic documents it, its `/v1`."""
    root = base_url.rstrip("/")
    return f"{root}/v1" if root and not urlsplit(root).path else root
