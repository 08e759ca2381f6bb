"""What providers said no to before: fields that they do not take, how long answers may be, and
questions for counts.

Kept in memory, per API key and model, for the life of the process: losing it costs one request.
"""

from typing import Any, NamedTuple

from keys.supply.queries.upstreams import Upstream

_KEYS_MAX = 10_000


class Learned(NamedTuple):
    """What is known of one model on one API key. None: nothing was said.

    `counts_not_before`: the provider's count route did not answer; it is left alone until this
    moment (monotonic).
    """

    refused_fields: frozenset[str] = frozenset()
    output_tokens_max: int | None = None
    context_tokens: int | None = None
    counts_not_before: float | None = None


class Lessons:
    """What was learned, by API key, its address and the model; the oldest is forgotten first."""

    def __init__(self, *, keys_max: int = _KEYS_MAX) -> None:
        self._learned: dict[tuple[str, str, str], Learned] = {}
        self._keys_max = keys_max

    def of(self, upstream: Upstream, model: str) -> Learned:
        """What is known of `model` on the key of `upstream`."""
        return self._learned.get((upstream.slug, upstream.base_url, model), _NOTHING)

    def add(self, upstream: Upstream, model: str, **facts: Any) -> None:
        """Remember fields of `Learned` for `model` on the key of `upstream`."""
        key = upstream.slug, upstream.base_url, model
        if key not in self._learned and len(self._learned) >= self._keys_max:
            # Dicts keep the order of insertion.
            del self._learned[next(iter(self._learned))]
        self._learned[key] = self.of(upstream, model)._replace(**facts)


_NOTHING = Learned()
