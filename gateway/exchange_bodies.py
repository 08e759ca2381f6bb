"""Write prompts and answers into an exchange and read them: compressed, then sealed."""

import zlib

from django.views.decorators.debug import sensitive_variables

from gateway.models import Exchange
from security import services as security
from security import vault

# The fastest: bodies can have 32 MB, and text shrinks well at any level.
_LEVEL = 1


@sensitive_variables()
def fill(exchange: Exchange, *, request: bytes, answer: bytes) -> None:
    """Seal both bodies into the row with a fresh key; the caller saves."""
    key = vault.new_content_key()
    security.seal_into(exchange, "content_key", key)
    for column, body in (("request", request), ("answer", answer)):
        compressed = zlib.compress(body, _LEVEL)
        sealed = vault.seal_content(compressed, key=key, context=_context(exchange, column))
        setattr(exchange, column, sealed)
        setattr(exchange, f"{column}_bytes", len(body))


@sensitive_variables()
def body(exchange: Exchange, column: str) -> bytes:
    """The body in `column` (`request` or `answer`). Refusal: CannotUnseal."""
    key = security.unseal_from(exchange, "content_key")
    sealed = getattr(exchange, column)
    return zlib.decompress(
        vault.unseal_content(sealed, key=key, context=_context(exchange, column))
    )


def _context(exchange: Exchange, column: str) -> str:
    return f"gateway.exchange.{column}:{exchange.pk}"
