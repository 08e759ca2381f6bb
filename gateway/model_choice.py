"""Which model serves a call, on which API key: what `model` of a request means in its session.

    the name is                                   then the call is served by
    ├── absent, or `any`, `auto`, `default`       the session's default model
    ├── a model of the session's key              that model, at its own price
    ├── a model of another key (a guest)          that key, for this call only
    ├── an alias of the organisation              the model that it means, in the same way
    └── none of these                             the default, and the answer says so;
                                                  ModelNotServed where the session named its models
                                                  or asked for `model_mismatch: refuse`

A model, key or alias counts only as far as the allow-lists of the agent and its cost centres allow;
NotAllowed where they exclude what would serve.
An alias of `any` names the default of sessions that were lent for no model. A session that was lent
for named models has those and no others; its default is the first one that can answer on the
route. A model that cannot (chat on an embedding model) is no model for the call.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
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
# As the columns of a charge.
_NAME_CHARACTERS_MAX = 200

# The best other key that serves a model, if there is one.
_Host = Callable[..., Awaitable[Upstream | None]]


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model that serves a call. `name`: what the provider is sent. `asked`: what the client
    named, if that is another model."""

    upstream: Upstream
    name: str
    served: Served
    asked: str = ""

    def is_guest(self, session: Session) -> bool:
        """Whether the call is made on another key than the session's."""
        return self.upstream.slug != session.api_key


async def choose_model(
    runtime: Runtime,
    session: Session,
    dialect: Dialect,
    asked: str,
    *,
    avoid: frozenset[str] = frozenset(),
) -> ModelChoice:
    """The model for a call that names `asked`; it is the guest of none of the keys in `avoid`.

    Refusals: ModelNotServed, NotAllowed, InvalidRequest.
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
    host = partial(runtime.sessions.guest, session, wire_format=dialect.wire_format, avoid=avoid)
    if choice := await _choose(session, own, dialect, asked, policies, allowed, host):
        return choice
    if allowed and await _choose(session, own, dialect, asked, policies, ALL_ALLOWED, host):
        raise NotAllowed(allow_lists=list(allowed.lists))
    raise _not_served(session, own, dialect, asked)


async def _choose(  # noqa: PLR0913 - one question about one call
    session: Session,
    own: Upstream,
    dialect: Dialect,
    asked: str,
    policies: ModelPolicies,
    allowed: AllowLists,
    host: _Host,
) -> ModelChoice | None:
    names_default = asked.lower() in _DEFAULT_NAMES
    for name in session.named_models if names_default else [asked]:
        if choice := await _serving(session, own, dialect, name, allowed, host):
            return choice
    asked_model = "" if names_default else asked
    meant = policies.meaning(asked)
    if meant and (choice := await _serving(session, own, dialect, meant, allowed, host)):
        return replace(choice, asked=asked_model)
    if session.named_models or (asked_model and session.model_mismatch == _REFUSE):
        return None
    default = _default(own, dialect, allowed)
    return default and ModelChoice(own, default.name, default, asked_model)


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


async def _serving(
    session: Session,
    own: Upstream,
    dialect: Dialect,
    name: str,
    allowed: AllowLists,
    host: _Host,
) -> ModelChoice | None:
    upstream: Upstream | None = own
    served = own.serving(name)
    if not (served and _answers(served, dialect) and _is_allowed(served, own, allowed, name)):
        upstream = await host(name, allowed=allowed)
    served = upstream.serving(name) if upstream else None
    if not upstream or not served or not _answers(served, dialect):
        return None
    if session.named_models and served not in map(upstream.serving, session.named_models):
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
