"""How many tokens the input of a call is held with: a bound that gets tighter if it must."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import ParamSpec, TypeVar

from msgspec import Raw

from gateway import bounds
from gateway.call import Call
from gateway.counts.ask import ask_for_files, ask_provider
from gateway.counts.beginnings import beginnings, rest_of
from gateway.dialects import CallParameters
from gateway.refusals import CannotBeBounded
from gateway.stored_responses import PREVIOUS_RESPONSE, previous_response

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# Longer bodies are counted in a thread, so that other calls do not wait.
_COUNTED_IN_LOOP_BYTES_MAX = 8_000


class InputBound:
    """The bound of one call's input, which is `call.input_max`.

    by its bytes or its public tokenizer
      ──tighten──▶ what is known of the conversation's beginning, and bytes for the rest
      ──tighten──▶ the provider's own count
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        # Functions and not methods, which would keep this object, and so the body of the request,
        # in memory until garbage is collected.
        self._steps: deque[Callable[[InputBound], Awaitable[int | None]]] = deque()

    @property
    def can_tighten(self) -> bool:
        """Whether a tighter bound may be found."""
        return bool(self._steps)

    async def begin(self) -> None:
        """Set the first bound. Only for files and stored answers the provider is asked.

        Refusals: CannotBeBounded.
        """
        call = self._call
        if previous_response(call):
            call.input_max = await self._bound_with_stored()
            return
        call.input_max = await self._bound(call.parameters.fields)
        if call.dialect.conversation_field:
            self._steps.extend((InputBound._by_beginning, InputBound._by_provider))

    def widen(self, tokens: int) -> None:
        """Add what no count of the request has, such as the results of searches."""
        self._call.input_max += tokens
        self._steps.clear()

    async def tighten(self) -> bool:
        """Whether a tighter bound was found. The provider is only asked if nothing else helps."""
        while self._steps:
            tokens = await self._steps.popleft()(self)
            if tokens is not None and tokens < self._call.input_max:
                self._call.input_max = tokens
                return True
        return False

    async def _by_beginning(self) -> int | None:
        call = self._call
        digests = await self._run(beginnings, call)
        for begun in range(len(digests), 0, -1):
            tokens = call.runtime.counts.of(digests[begun - 1])
            if tokens is not None:
                return tokens + await self._bound(rest_of(call, begun))
        return None

    async def _by_provider(self) -> int | None:
        call = self._call
        call.input_counted = tokens = await ask_provider(call, call.parameters.fields)
        if tokens is not None and (digests := await self._run(beginnings, call)):
            call.runtime.counts.add(digests[-1], tokens)
        return tokens

    async def _bound(self, fields: Mapping[str, Raw]) -> int:
        """The bound of these fields; the files in them are counted by the provider."""
        try:
            return await self._count(fields)
        except CannotBeBounded:
            turns = self._call.dialect.conversation_field
            rest, files = await self._run(bounds.take_files, fields, name=turns)
            if not files:
                raise
            tokens = await self._count(rest)
            counted = await ask_for_files(self._call, files)
            if counted is None:
                raise
            return tokens + counted

    async def _bound_with_stored(self) -> int:
        """The provider's count of a request that goes on from an earlier answer."""
        fields = dict(self._call.parameters.fields)
        counted = await ask_provider(self._call, fields)
        if counted is None:
            return await self._count(fields)
        del fields[PREVIOUS_RESPONSE]
        # Anything else that cannot be counted here is refused.
        await self._bound(fields)
        return counted

    async def _count(self, fields: Mapping[str, Raw]) -> int:
        call = self._call
        asked = call.parameters
        if fields is not asked.fields:
            asked = CallParameters(fields=dict(fields), model=call.model)
        count = call.dialect.input_bound
        return await self._run(bounds.count_within_limit, count, asked, model=call.facts)

    async def _run(
        self, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        call, request = self._call, self._call.request
        if request.body_size <= _COUNTED_IN_LOOP_BYTES_MAX:
            return work(*args, **kwargs)
        bodies = call.runtime.large_bodies
        return await bodies.run(call.session.agent, request, work, *args, **kwargs)
