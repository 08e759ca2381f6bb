"""Which model serves a call, on which API key: what `model` of a request means in its session.

    the name is                                   then the call is served by
    ├── absent, or `any`, `auto`, `default`       the session's default model
    ├── a model of the session's key              that model, at its own price
    ├── a model of another key (a guest)          that key, for this call only
    ├── an alias of the organisation              the model that it means, in the same way
    └── none of these                             the default, and the answer says so;
                                                  ModelNotServed where the session named its models
                                                  or asked for `model_mismatch: refuse`

An alias of `any` names the default of sessions that were lent for no model. A session that was lent
for named models has those and no others; its default is the first one that can answer on the
route. A model that cannot (chat on an embedding model) is no model for the call.
"""

from dataclasses import dataclass, replace
from operator import attrgetter

from gateway.dialects import Dialect
from gateway.refusals import InvalidRequest, ModelNotServed
from gateway.runtime import Runtime
from keys.supply.queries.upstreams import Served, Session, Upstream

_DEFAULT_NAMES = frozenset({"", "any", "auto", "default"})
_REFUSE = "refuse"
# As the columns of a charge.
_NAME_CHARACTERS_MAX = 200


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
    runtime: Runtime, session: Session, dialect: Dialect, asked: str
) -> ModelChoice:
    """The model for a call that names `asked`. Refusals: ModelNotServed, InvalidRequest."""
    # The charge keeps the name, and is written in one statement with those of other calls.
    if len(asked) > _NAME_CHARACTERS_MAX or not asked.isprintable():
        raise InvalidRequest(
            f"Use a name of at most {_NAME_CHARACTERS_MAX} printable characters as the model.",
            field="model",
        )
    own = await runtime.sessions.upstream(session.api_key)
    names_default = asked.lower() in _DEFAULT_NAMES
    named = session.named_models if names_default else [asked]
    for name in named:
        if choice := await _serving(runtime, session, own, dialect, name):
            return choice
    meant = (await runtime.sessions.policies()).meaning(asked)
    if meant and (choice := await _serving(runtime, session, own, dialect, meant)):
        return replace(choice, asked="" if names_default else asked)
    default = None if session.named_models else _default(own, dialect)
    refused = not names_default and session.model_mismatch == _REFUSE
    if default is None or refused:
        raise _not_served(session, own, dialect, asked)
    return ModelChoice(own, default.name, default, "" if names_default else asked)


def _default(own: Upstream, dialect: Dialect) -> Served | None:
    """The key's own model, or where it cannot answer on the route, the cheapest that can."""
    default = own.serving(own.model)
    if default and _answers(default, dialect):
        return default
    able = [each for each in own.served if each.outputs and _answers(each, dialect)]
    return min(able, key=attrgetter("token_cost_max", "name"), default=None)


async def usable_models(runtime: Runtime, session: Session) -> list[tuple[Served, Upstream]]:
    """The models that a session can use, the default first: those it named, or its key's."""
    own = await runtime.sessions.upstream(session.api_key)
    if not session.named_models:
        default = own.serving(own.model)
        return [(each, own) for each in sorted(own.served, key=lambda each: each != default)]
    found = []
    for name in session.named_models:
        upstream = own if own.serving(name) else await runtime.sessions.guest(session, name)
        if upstream and (served := upstream.serving(name)):
            found.append((served, upstream))
    return found


async def _serving(
    runtime: Runtime, session: Session, own: Upstream, dialect: Dialect, name: str
) -> ModelChoice | None:
    upstream: Upstream | None = own
    if not ((served := own.serving(name)) and _answers(served, dialect)):
        upstream = await runtime.sessions.guest(session, name, wire_format=dialect.wire_format)
    served = upstream.serving(name) if upstream else None
    if not upstream or not served or not _answers(served, dialect):
        return None
    if session.named_models and served not in map(upstream.serving, session.named_models):
        return None
    # A version of a model goes to the provider under its own name.
    is_name = name.lower() == served.name.lower()
    return ModelChoice(upstream, served.name if is_name else name, served)


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
