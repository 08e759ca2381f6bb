"""Another model, or another key, for a call that no API key of its session can take."""

from gateway.call import Call
from gateway.failover import key_refusal
from gateway.model_choice import choose_model
from gateway.provider_errors import About, ProviderError
from gateway.refusals import KeyUnusable
from keys.refusals import KeyFrozen, KeyFull, RateLimited

# Refusals because of the API key; no other key can take the session over.
NO_KEY = (KeyFrozen, KeyFull, KeyUnusable, RateLimited)
# How many keys one request is tried on.
_KEYS_MAX = 6


async def fall_back(
    call: Call,
    refusal: KeyFrozen | KeyFull | KeyUnusable | RateLimited,
    *,
    refused: frozenset[str],
) -> None:
    """Note that the call's key cannot take it, so that a fallback is chosen next.

    `refused`: the keys that the provider refused before. Raises the first such refusal of the
    request if no fallback can serve it.
    """
    unusable = call.request.unusable_keys
    unusable.setdefault(call.upstream.slug, refusal)
    if not await _has_fallback(call, refused):
        raise next(iter(unusable.values()))


async def can_fall_back(call: Call, error: ProviderError, *, refused: frozenset[str]) -> bool:
    """Whether a fallback can serve a call whose provider refused its key, and those tried before.

    Without a word about the key it may be the request's fault, which no other model mends. What was
    paid for is not tried again.
    """
    if call.charged or not call.dialect.spends:
        return False
    if not error.is_about_key or error.about is About.UNSURE:
        return False
    call.request.unusable_keys.setdefault(call.upstream.slug, key_refusal(call, error))
    return await _has_fallback(call, refused)


async def _has_fallback(call: Call, refused: frozenset[str]) -> bool:
    avoid = refused.union(call.request.unusable_keys)
    policies = await call.runtime.sessions.policies()
    if not policies.fallbacks or len(avoid) >= _KEYS_MAX:
        return False
    choice = await choose_model(
        call.runtime,
        call.session,
        call.dialect,
        call.parameters.model,
        avoid=avoid,
        unfit=frozenset(call.request.unfit_models),
    )
    # The default in place of a guest is no fallback; the model that a cheaper one replaced is.
    is_same = call.choice.fallback == "budget" or choice.served.name == call.choice.served.name
    return bool(choice.fallback or is_same) and choice.upstream.slug not in avoid
