"""Requests of the REST API: lend a budget, report usage."""

from functools import cache
from typing import NamedTuple

from bench import rows
from bench.gateway.load import Load

# As many as a process has threads.
CLIENTS = 8
KINDS = ("POST allocations", "POST usage")
# Each thread opens its connection to the database, and PostgreSQL plans the statements there.
_WARM_UP_SECONDS = 5


class _Lent(NamedTuple):
    """Agent tokens, and the path of each that takes reports of a session of its agent."""

    tokens: list[str]
    paths: list[str]


def load(kind: str, *, port: int, seconds: float) -> Load:
    """One of KINDS, by all agents in turn."""
    lent, paths = _lend(), []
    body = '{"tokens": 1000}'
    if kind == "POST usage":
        paths, body = lent.paths, '{"input_tokens": 80, "output_tokens": 20}'
    return Load(
        port=port,
        path="/api/v1/allocations",
        paths=paths,
        body=body,
        tokens=lent.tokens,
        clients=CLIENTS,
        seconds=seconds,
        warm_up_seconds=_WARM_UP_SECONDS,
    )


@cache
def _lend() -> _Lent:
    sessions = [rows.lend(f"agent-{n}", tokens=10**11).session_id for n in range(rows.AGENTS)]
    paths = [f"/api/v1/allocations/{session_id}/usage" for session_id in sessions]
    return _Lent(rows.tokens(), paths)
