"""xAI's prepaid credit as Butler uses it: no keys, cents with the sign turned, changes.

xAI has no OpenAPI document of its management API among those that the tests keep, so requests are
compared with its documentation here.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any

from tests.treasury.contracts.documents import Sent
from tests.treasury.contracts.fake_vendor import FakeVendor, Reply

TEAM = "team-1"


class FakeXai(FakeVendor):
    """Each top-up charges the card. `next_status`: that of the next change; `clock`: xAI's own."""

    def __init__(self, secret: str = "xai-management") -> None:  # noqa: S107 - of the fake
        super().__init__()
        self.secret = secret
        self.clock = datetime(2026, 3, 14, 12, tzinfo=UTC)
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.changes: list[dict[str, Any]] = []
        self.next_status = "SUCCEEDED"
        self.faults.clear()

    @property
    def bought(self) -> int:
        """What was charged, in cents."""
        cents = (int(each["amount"]["val"]) for each in self._purchases())
        return -sum(cents)

    def _purchases(self) -> list[dict[str, Any]]:
        return [
            each
            for each in self.changes
            if each["changeOrigin"] == "PURCHASE" and not each["topupStatus"].startswith("FAILED")
        ]

    def add(self, cents: int, *, origin: str = "PURCHASE", status: str = "SUCCEEDED") -> None:
        """A change, as somebody makes one in the console."""
        # Two changes never have the same moment.
        moment = f"{self.clock:%Y-%m-%dT%H:%M:%S}.{len(self.changes):06d}Z"
        self.changes.append(
            {
                "teamId": TEAM,
                "changeOrigin": origin,
                "topupStatus": status,
                "amount": {"val": str(-cents)},
                "createTime": moment,
                "paymentProcessor": "STRIPE",
            }
        )

    def answer(self, sent: Sent) -> Reply:
        """As xAI."""
        if sent.headers.get("Authorization") != f"Bearer {self.secret}":
            return 401, {"code": "unauthenticated", "error": "No such key."}
        base = f"/v1/billing/teams/{TEAM}/prepaid"
        if (sent.method, sent.path) == ("GET", f"{base}/balance"):
            total = sum(int(each["amount"]["val"]) for each in self._purchases())
            return 200, {"changes": self.changes, "total": {"val": str(total)}}
        if (sent.method, sent.path) != ("POST", f"{base}/top-up"):
            return 404, {"code": "not_found", "error": "No such address."}
        asked = json.loads(sent.body)
        if list(asked) != ["amount"] or not re.fullmatch(r"[1-9]\d*", asked["amount"]["val"]):
            return 400, {"code": "invalid_argument", "error": "The amount is wrong."}
        self.add(int(asked["amount"]["val"]), status=self.next_status)
        return 200, {"change": self.changes[-1]}
