"""Sessions that clients speak for, and what the books and the sandbox say of their calls."""

from dataclasses import dataclass
from typing import Any

from keys.models import Allocation, Charge

# Their answers have no id of their own.
_NAMELESS = ("/v1/embeddings", "/v1/messages/count_tokens", "/v1/responses/input_tokens")
_KINDS = {
    "input": "input_tokens",
    "cached": "cached_tokens",
    "output": "output_tokens",
    "reasoning": "reasoning_tokens",
}


@dataclass(frozen=True)
class Session:
    """What a client is given, and the allocation behind it."""

    token: str
    allocation: Allocation

    def charges(self) -> list[Charge]:
        """Its calls as they are in the books, none of them still held."""
        charges = list(Charge.objects.filter(allocation=self.allocation).order_by("pk"))
        assert not [charge for charge in charges if charge.status == "held"]
        return [charge for charge in charges if charge.status == "settled"]


def assert_metered(session: Session, log: list[dict[str, Any]]) -> None:
    """Every call the provider billed is a charge of the session, to the token, and no other is."""
    charges = session.charges()
    assert sorted(map(_as_charged, charges)) == sorted(map(_as_billed, log))
    assert {charge.basis for charge in charges} <= {"provider"}
    session.allocation.refresh_from_db()
    assert session.allocation.used == sum(row["input"] + row["output"] for row in log)


def _as_charged(charge: Charge) -> tuple:
    tokens = [getattr(charge, column) for column in _KINDS.values()]
    return charge.route, charge.provider_request_id, *tokens, charge.tokens


def _as_billed(row: dict[str, Any]) -> tuple:
    name = "" if row["route"] in _NAMELESS else row["id"]
    tokens = [row[kind] for kind in _KINDS]
    return row["route"], name, *tokens, row["input"] + row["output"]
