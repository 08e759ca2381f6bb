"""Which model serves a call, on which API key: what `model` of a request means in its session.

    the name is                                   then the call is served by
    ├── absent, or `any`, `auto`, `default`       the session's default model
    ├── a model of the session's key              that model, at its own price
    ├── a model of another key (a guest)          that key, for this call only
    ├── an alias of the organisation              the model that it means, in the same way
    ├── one that no usable key serves,            the first fallback that can
    │   with a fallback of the organisation
    └── none of these                             the default, and the answer says so;
                                                  ModelNotServed where the session named its models
                                                  or asked for `model_mismatch: refuse`

A model, key or alias counts only as far as the allow-lists of the agent and its cost centres allow;
NotAllowed where they exclude what would serve.
An alias of `any` names the default of sessions that were lent for no model. A session that was lent
for named models has those and no others; its default is the first one that can answer on the
route. A model that cannot (chat on an embedding model) is no model for the call.

What was chosen so is replaced by a fallback of the organisation, if it has one, when its API key
cannot take the request (`no_key`), or from a share of the session's tokens on
(`budget`). A fallback is never dearer than what the session was lent for, in place of a usable
model cheaper than that, and one of the models that the session named, if it named any. A session
with `model_mismatch: refuse` has no fallbacks, and a fallback has none of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from operator import attrgetter

from gateway.dialects import Dialect
from gateway.refusals import InvalidRequest, ModelNotServed
from gateway.runtime import Runtime
from keys.identity.allow_lists import ALL_ALLOWED, AllowLists
from keys.refusals import NotAllowed
from keys.supply.queries.model_policies import ModelPolicies
from keys.supply.queries.upstreams import Served, Session, Upstream

_DEFAULT_NAMES = frozenset({"", "any", "auto", "default"})
_REFUSE = "refuse"
_ANY_COST = Decimal("Infinity")
# As the columns of a charge.
_NAME_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model that serves a call. `name`: what the provider is sent. `asked`: what the client
    named, if that is another model, or the model that a fallback replaces. `fallback`: why it does,
    `no_key` or `budget`."""

    upstream: Upstream
    name: str
    served: Served
    asked: str = ""
    fallback: str = ""

    @property
    def fallback_header(self) -> str:
        """What is replaced, and why; empty for a call that no fallback serves."""
        return self.fallback and f"{self.asked}; {self.fallback}"

    def is_guest(self, session: Session) -> bool:
        """Whether the call is made on another key than the session's."""
        return self.upstream.slug != session.api_key


@dataclass(frozen=True, slots=True)
class _Search:
    """Where the models of one call are looked for. `own`: the session's key. `avoid`: the API
    keys that were refused for the request, or could not take it. `unfit`: models that cannot be its
    fallback."""

    runtime: Runtime
    session: Session
    own: Upstream
    dialect: Dialect
    policies: ModelPolicies
    allowed: AllowLists
    avoid: frozenset[str]
    unfit: frozenset[str]


async def choose_model(
    runtime: Runtime,
    session: Session,
    dialect: Dialect,
    asked: str,
    *,
    avoid: frozenset[str] = frozenset(),
    unfit: frozenset[str] = frozenset(),
) -> ModelChoice:
    """The model for a call that names `asked`. Refusals: ModelNotServed, NotAllowed,
    InvalidRequest.

    `avoid`: the API keys that could not take the call; they are chosen again only if there is no
    fallback. `unfit`: models that are not chosen as a fallback.
    """
    # The charge keeps the name, and is written in one statement with those of other calls.
    if len(asked) > _NAME_CHARACTERS_MAX or not asked.isprintable():
        raise InvalidRequest(
            f"Use a name of at most {_NAME_CHARACTERS_MAX} printable characters as the model.",
            field="model",
        )
    own = await runtime.sessions.upstream(session.api_key)
    policies = await runtime.sessions.policies()
    allowed = policies.allowed(session.payers)
    search = _Search(runtime, session, own, dialect, policies, allowed, avoid, unfit)
    if choice := await _choose(search, asked):
        return await _fallback_of(search, choice) or choice
    if allowed and await _choose(replace(search, allowed=ALL_ALLOWED), asked):
        raise NotAllowed(allow_lists=list(allowed.lists))
    raise _not_served(session, own, dialect, asked)


async def _choose(search: _Search, asked: str) -> ModelChoice | None:
    session = search.session
    names_default = asked.lower() in _DEFAULT_NAMES
    for name in session.named_models if names_default else [asked]:
        if choice := await _serving(search, name):
            return choice
    asked_model = "" if names_default else asked
    meant = search.policies.meaning(asked)
    if meant and (choice := await _serving(search, meant)):
        return replace(choice, asked=asked_model)
    if asked_model and (choice := await _fallback_without_key(search, asked, meant or asked)):
        return choice
    if session.named_models or (asked_model and session.model_mismatch == _REFUSE):
        return None
    default = _default(search.own, search.dialect, search.allowed)
    return default and ModelChoice(search.own, default.name, default, asked_model)


async def _fallback_without_key(search: _Search, asked: str, meant: str) -> ModelChoice | None:
    """What serves instead of a model that no usable key serves; a session that named its models has
    fallbacks only for these."""
    named = {name.lower() for name in search.session.named_models}
    if named and meant.lower() not in named:
        return None
    names = search.policies.fallbacks_without_key(asked, meant)
    choice = await _first(search, names)
    return choice and replace(choice, asked=asked, fallback="no_key")


async def _fallback_of(search: _Search, choice: ModelChoice) -> ModelChoice | None:
    """What serves instead of a model that a key serves: to save the budget, or because the key
    cannot take the call."""
    policies = search.policies
    if choice.fallback or not policies.fallbacks:
        return None
    names = (choice.served.name, choice.name, choice.asked)
    used = search.runtime.sessions.used_percent(search.session)
    cheaper = policies.fallbacks_from_budget(*names, used_percent=used)
    asked = choice.asked or choice.name
    if found := await _first(search, cheaper, below=choice.served.token_cost_max):
        return replace(found, asked=asked, fallback="budget")
    fallbacks = policies.fallbacks_without_key(*names)
    if choice.upstream.slug not in search.avoid or not fallbacks:
        return None
    if same := await _first(search, [choice.name]):
        return replace(same, asked=choice.asked)
    found = await _first(search, fallbacks)
    return found and replace(found, asked=asked, fallback="no_key")


def _default(own: Upstream, dialect: Dialect, allowed: AllowLists) -> Served | None:
    """The key's own model, or where it cannot answer on the route or is not allowed, the cheapest
    that can."""
    default = own.serving(own.model)
    if default and _answers(default, dialect) and _is_allowed(default, own, allowed):
        return default
    able = [
        each
        for each in own.served
        if (each.outputs or allowed.models)
        and _answers(each, dialect)
        and _is_allowed(each, own, allowed)
    ]
    return min(able, key=attrgetter("token_cost_max", "name"), default=None)


async def usable_models(runtime: Runtime, session: Session) -> list[tuple[Served, Upstream]]:
    """The models that a session can use, the default first: those it named, or its key's."""
    own = await runtime.sessions.upstream(session.api_key)
    allowed = (await runtime.sessions.policies()).allowed(session.payers)
    if not session.named_models:
        default = own.serving(own.model)
        usable = [each for each in own.served if _is_allowed(each, own, allowed)]
        return [(each, own) for each in sorted(usable, key=lambda each: each != default)]
    found = []
    for name in session.named_models:
        upstream = (
            own
            if own.serving(name)
            else await runtime.sessions.guest(session, name, allowed=allowed)
        )
        if upstream and (served := upstream.serving(name)):
            found.append((served, upstream))
    return [each for each in found if _is_allowed(*each, allowed)]


async def _first(
    search: _Search, names: Sequence[str], *, below: Decimal = _ANY_COST
) -> ModelChoice | None:
    """The first of these fallbacks that can serve on a key that is not avoided, and is not dearer
    than what the session was lent for. `below`: a token of it costs less than that at most, in USD.
    """
    session, own = search.session, search.own
    if session.model_mismatch == _REFUSE:
        return None
    is_own_usable = own.slug not in search.avoid and search.dialect.wire_format in own.wire_formats
    for name in names:
        on_own = _on_key(search, own, name) if is_own_usable else None
        choice = on_own or await _as_guest(search, name)
        if choice and choice.served.name in search.unfit:
            continue
        cost = choice.served.token_cost_max if choice else below
        if cost < below and cost <= session.token_cost_max:
            return choice
    return None


async def _serving(search: _Search, name: str) -> ModelChoice | None:
    return _on_key(search, search.own, name) or await _as_guest(search, name)


async def _as_guest(search: _Search, name: str) -> ModelChoice | None:
    upstream = await search.runtime.sessions.guest(
        search.session,
        name,
        allowed=search.allowed,
        wire_format=search.dialect.wire_format,
        avoid=search.avoid,
    )
    return _on_key(search, upstream, name) if upstream else None


def _on_key(search: _Search, upstream: Upstream, name: str) -> ModelChoice | None:
    served, named_models = upstream.serving(name), search.session.named_models
    if not served or not _answers(served, search.dialect):
        return None
    if not _is_allowed(served, upstream, search.allowed, name):
        return None
    if named_models and served not in map(upstream.serving, named_models):
        return None
    # A version of a model goes to the provider under its own name.
    is_name = name.lower() == served.name.lower()
    return ModelChoice(upstream, served.name if is_name else name, served)


def _is_allowed(served: Served, upstream: Upstream, allowed: AllowLists, name: str = "") -> bool:
    """Whether the agent may use a model on a key, by the model's name or the one that was asked."""
    if not allowed:
        return True
    is_model = allowed.allow_model(served.name, name or served.name)
    return is_model and allowed.allow_provider(upstream.provider)


def _answers(served: Served, dialect: Dialect) -> bool:
    """Whether a model can answer on the route, as far as that is known."""
    return not served.outputs or dialect.output in served.outputs


def _not_served(session: Session, own: Upstream, dialect: Dialect, name: str) -> ModelNotServed:
    names = session.named_models or [each.name for each in own.served]
    return ModelNotServed(
        f"This session cannot use the model {name or 'any'!r} on /v1{dialect.path}. Its models are "
        f"{', '.join(names)}. Request an allocation for other models with `models`.",
        model=name,
        models=names,
    )
