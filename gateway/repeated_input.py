"""How much of the input of calls was sent shortly before: what a provider's cache could have read.

Looked at are all calls of an agent in one of eight quarters of an hour, after they were settled, so
that no call waits for it. Of a text, only digests are remembered, in memory, for one process: what
another process sent is not known, so these figures are low rather than high.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterable
from time import monotonic
from typing import NamedTuple
from zlib import crc32

from common.batches import Threads
from common.database_retry import DATABASE_AWAY
from gateway import services
from gateway.services.repeated_input import InputGroup, InputSums
from keys.services import Usage

logger = logging.getLogger(__name__)

# One of so many quarters of an hour of an agent.
SAMPLED_OF = 8
# Caches of providers forget what was not read for so long.
_CACHED_SECONDS = 300
# They keep nothing that is shorter (OpenAI, and most models of Anthropic).
_CACHED_TOKENS_MIN = 1_024
_BEGINNINGS_MAX = 20_000


class _Known(NamedTuple):
    """When a beginning was first and last sent (monotonic), without a gap in which it is
    forgotten."""

    since: float
    last: float


class RepeatedInput:
    """What one process has seen, and its sums that are not yet stored."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._sums: dict[InputGroup, InputSums] = {}

    def add(
        self,
        group: InputGroup,
        beginnings: Iterable[tuple[bytes, float]],
        *,
        usage: Usage,
        came_at: float,
    ) -> None:
        """Count a settled call that came at this moment (monotonic). `beginnings`: the digest of
        each, and its share of the input, the shortest first."""
        repeated = 0
        for digest, share in beginnings:
            if self._was_known(group.api_key.encode() + digest, came_at):
                repeated = int(share * usage.input_tokens)
        if repeated < _CACHED_TOKENS_MIN:
            repeated = 0
        self._sums[group] = self._sums.get(group, InputSums()) + InputSums.of(usage, repeated)

    async def flush(self) -> None:
        """Store the sums. If the database is away they are lost: they are a sample."""
        sums, self._sums = self._sums, {}
        if not sums:
            return
        try:
            await self._threads.run(services.add_repeated_input, sums)
        except DATABASE_AWAY as error:
            logger.warning("Figures of repeated input were not stored: %s", error)

    def _was_known(self, name: bytes, came_at: float) -> bool:
        """Whether a cache could have had this beginning when the call came; it has it from now."""
        now, known = monotonic(), self._known.get(name)
        if known and known.last + _CACHED_SECONDS < came_at:
            known = None
        self._known[name] = _Known(known.since if known else now, now)
        self._known.move_to_end(name)
        if len(self._known) > _BEGINNINGS_MAX:
            self._known.popitem(last=False)
        return known is not None and known.since <= came_at


def is_sampled(agent: str, quarter: int) -> bool:
    """Whether the calls of an agent in a quarter of an hour (counted from 1970) are looked at."""
    return crc32(f"{agent} {quarter}".encode()) % SAMPLED_OF == 0
