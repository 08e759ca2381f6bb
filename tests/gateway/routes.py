"""Every route, and requests of any of them."""

import msgspec
import pytest

from gateway import dialects
from gateway.dialects import known_fields
from keys.supply.model_facts import facts_by_name

CONVERSING = [dialects.CHAT, dialects.RESPONSES, dialects.MESSAGES]
SPENDING = [*CONVERSING, dialects.COMPLETIONS]
ALL = [*SPENDING, dialects.EMBEDDINGS, dialects.COUNT_TOKENS, dialects.INPUT_TOKENS]
conversing = pytest.mark.parametrize("dialect", CONVERSING, ids=lambda dialect: dialect.path)
every_dialect = pytest.mark.parametrize("dialect", ALL, ids=lambda dialect: dialect.path)
every_spending = pytest.mark.parametrize(
    "dialect", [*SPENDING, dialects.EMBEDDINGS], ids=lambda dialect: dialect.path
)
spending = pytest.mark.parametrize("dialect", SPENDING, ids=lambda dialect: dialect.path)


def body(**fields):
    """A request of any route."""
    return msgspec.json.encode({"model": "asked", **fields})


def parsed(dialect, *, on="custom", passed=(), **fields):
    """A request of one route, as admission takes it for a provider."""
    return read(dialect, body(**fields), on=on, passed=passed)


def read(dialect, raw, *, on="custom", passed=()):
    """The same of a body. `passed`: fields that the operator lets pass."""
    asked = dialect.parse(raw)
    known_fields.refuse_unknown(asked.fields, route=dialect.path, provider=on, passed=passed)
    return asked


def sent(dialect, raw=None, *, model="real", output_tokens_max=100, **fields):
    """What the provider gets of a request whose fields are known."""
    asked = dialect.parse(raw or body(**fields))
    whole = dialect.provider_body(
        asked, model=model, facts=facts_by_name(model), output_tokens_max=output_tokens_max
    )
    return msgspec.json.decode(whole)
