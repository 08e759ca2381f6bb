"""The rail that buys xAI's prepaid credit."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

from treasury.rails.base import (
    Answer,
    Capability,
    Mode,
    Order,
    Outcome,
    SentPayment,
    StatementLine,
)
from treasury.rails.http import HttpClient, Reply, Request
from treasury.rails.kinds import Connection
from treasury.rails.xai.changes import Change, cents, change, matching, purchases

_PATH = "/v1/billing/teams/{team}/prepaid"


class XaiRail:
    """Buys credit for one team. The payee's destination is the id of that team."""

    currency = "USD"
    scale = 2
    capabilities = frozenset({Capability.PAY})
    # There are no idempotency keys: no request is ever sent twice.
    key_life = timedelta(0)

    def __init__(self, connection: Connection) -> None:
        self.name = connection.name
        self.is_play_money = connection.mode == Mode.SANDBOX
        self._team = connection.settings.get("team", "")
        self._http = HttpClient(connection.url, networks=connection.networks)
        self._headers = {"Authorization": f"Bearer {connection.secret}"}

    def body(self, order: Order) -> str:
        """The path and, on the next line, the JSON that is sent."""
        sent = json.dumps({"amount": {"val": cents(order.amount)}})
        return f"{_prepaid(order.payee)}/top-up\n{sent}"

    def pay(self, body: str, *, key: str) -> Answer:
        """See `PayingRail`. The key is not sent, since xAI has none."""
        path, sent = body.split("\n", 1)
        if path != f"{_prepaid(self._team)}/top-up":
            return Answer(
                outcome=Outcome.REFUSED,
                code="other_team",
                message="The payee's destination is not the team of the rail account.",
            )
        headers = {**self._headers, "Content-Type": "application/json"}
        reply = self._http.send(
            Request(method="POST", path=path, headers=headers, body=sent.encode())
        )
        if reply.is_definite_refusal:
            return Answer(outcome=Outcome.REFUSED, code=reply.code, message=_words(reply))
        if not reply.is_ok:
            return Answer(outcome=Outcome.UNKNOWN, code=reply.code)
        try:
            made = change(reply.body["change"])
        except (KeyError, ValueError):
            made = None
        return made.answer if made else Answer(outcome=Outcome.UNKNOWN, code="not_understood")

    def find(self, purchase: str, *, vendor_id: str = "", since: datetime | None = None) -> Answer:
        """See `Rail`. Without xAI's own id this says nothing: `match` does."""
        found = self._purchases()
        known = [each for each in found or () if each.created == vendor_id]
        return known[0].answer if known else Answer(outcome=Outcome.UNKNOWN, code="no_identity")

    def match(self, sent: SentPayment) -> Answer:
        """See `MatchingRail`."""
        found = self._purchases()
        if found is None:
            return Answer(outcome=Outcome.UNKNOWN, code="changes_not_read")
        return matching(found, sent)

    def problem(self) -> str:
        """See `Rail`."""
        reply = self._get()
        return "" if reply.is_ok else f"xAI answers {reply.code}. {_words(reply)}".strip()

    def balance(self) -> Decimal | None:
        """See `Rail`. The money is on a card that xAI charges."""
        return None

    def statement(self, *, after: int) -> Sequence[StatementLine] | None:
        """See `Rail`."""
        return None

    def _purchases(self) -> list[Change] | None:
        reply = self._get()
        try:
            return purchases(reply.body) if reply.is_ok else None
        except ValueError:
            return None

    def _get(self) -> Reply:
        path = f"{_prepaid(self._team)}/balance"
        return self._http.send(Request(method="GET", path=path, headers=self._headers))


def _prepaid(team: str) -> str:
    return _PATH.format(team=quote(team, safe=""))


def _words(reply: Reply) -> str:
    said = reply.body.get("error") or reply.body.get("message")
    return said[:200] if isinstance(said, str) else ""
