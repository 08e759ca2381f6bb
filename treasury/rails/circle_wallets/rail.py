"""The rail that calls Circle's developer-controlled wallets."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

from treasury.rails.base import Answer, Capability, Mode, Order, Outcome, StatementLine
from treasury.rails.circle_mint.answers import answer_of_error, text
from treasury.rails.circle_wallets.entity_secret import ciphertext
from treasury.rails.http import JSON, HttpClient, Reply, Request
from treasury.rails.kinds import Connection

_W3S = "/v1/w3s"
_TRANSFER = f"{_W3S}/developer/transactions/transfer"
_STATES = {
    **dict.fromkeys(("INITIATED", "CLEARED", "QUEUED", "SENT", "STUCK"), Outcome.ACCEPTED),
    # In a block, but not final.
    "CONFIRMED": Outcome.ACCEPTED,
    "COMPLETE": Outcome.SETTLED,
    **dict.fromkeys(("FAILED", "DENIED", "CANCELLED"), Outcome.DECLINED),
}
_PAGE, _PAGES_MAX = 50, 20
_CLOCKS = timedelta(minutes=5)
# Where the faucet pays, with play money.
TESTNETS = frozenset(
    {
        *("ETH-SEPOLIA", "AVAX-FUJI", "MATIC-AMOY", "SOL-DEVNET", "ARB-SEPOLIA", "UNI-SEPOLIA"),
        *("BASE-SEPOLIA", "OP-SEPOLIA", "APTOS-TESTNET", "ARC-TESTNET", "MONAD-TESTNET"),
    }
)


class CircleWalletsRail:
    """Pays USDC from one wallet to the payee's address on the same blockchain."""

    currency = "USDC"
    scale = 6
    capabilities = frozenset({Capability.PAY, Capability.BALANCE})
    key_life = timedelta(hours=24)

    def __init__(self, connection: Connection) -> None:
        self.name = connection.name
        self.is_play_money = connection.mode == Mode.SANDBOX
        self._settings = connection.settings
        api_key, _, self._entity_secret = connection.secret.partition(" ")
        self._http = HttpClient(connection.url, networks=connection.networks)
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}

    def body(self, order: Order) -> str:
        """The JSON that is sent, but for the entity secret: Circle wants it encrypted again with
        each request."""
        return json.dumps(
            {
                "idempotencyKey": order.purchase,
                "walletId": self._settings.get("wallet", ""),
                "tokenId": self._settings.get("token", ""),
                "destinationAddress": order.payee,
                "amounts": [format(order.amount, "f")],
                "feeLevel": "MEDIUM",
                "refId": order.purchase,
            },
            sort_keys=True,
        )

    def pay(self, body: str, *, key: str) -> Answer:
        """See `PayingRail`. The key is in the body, where Circle wants it."""
        encrypted = self._ciphertext()
        if not encrypted:
            # Nothing was sent, so it is as if the network was gone.
            return Answer(outcome=Outcome.UNKNOWN, code="no_public_key")
        sent = {**json.loads(body), "entitySecretCiphertext": encrypted}
        reply = self._post(_TRANSFER, sent)
        return self._answer(reply, reply.body.get("data"))

    def find(self, purchase: str, *, vendor_id: str = "", since: datetime | None = None) -> Answer:
        """See `Rail`. Circle keeps the purchase as `refId`. `absent` only if all were read."""
        if vendor_id:
            return self._read(vendor_id)
        query = [("walletIds", self._settings.get("wallet", "")), ("txType", "OUTBOUND")]
        if since:
            query.append(("from", (since - _CLOCKS).isoformat().replace("+00:00", "Z")))
        after: list[tuple[str, str]] = []
        for _ in range(_PAGES_MAX):
            page = self._transactions([*query, ("pageSize", str(_PAGE)), *after])
            if page is None:
                break
            for each in page:
                if each.get("refId") == purchase:
                    return self._read(text(each.get("id")))
            if len(page) < _PAGE:
                return Answer(outcome=Outcome.ABSENT)
            after = [("pageAfter", text(page[-1].get("id")))]
        return Answer(outcome=Outcome.UNKNOWN, code="list_not_read")

    def problem(self) -> str:
        """See `Rail`."""
        reply = self._get(self._balances)
        if not reply.is_ok:
            answer = answer_of_error(reply)
            return ": ".join(filter(None, (f"Circle answers {answer.code}", answer.message)))
        if self._settings.get("blockchain") not in TESTNETS and self.is_play_money:
            return "In sandbox mode, the blockchain is a testnet."
        return "" if self._ciphertext() else "The entity secret cannot be encrypted for Circle."

    def balance(self) -> Decimal | None:
        """See `Rail`: the USDC of the wallet."""
        reply = self._get(self._balances)
        try:
            held = reply.body["data"]["tokenBalances"] if reply.is_ok else None
            if held is None:
                return None
            token = self._settings.get("token")
            own = [Decimal(each["amount"]) for each in held if each["token"]["id"] == token]
            return sum(own, Decimal(0))
        except (KeyError, TypeError, ArithmeticError):
            return None

    def statement(self, *, after: int) -> Sequence[StatementLine] | None:
        """See `Rail`. The blockchain has one; Circle's list has no order that is kept."""
        return None

    def drip(self) -> Answer:
        """Ask the faucet for play money. Only on testnets: *refused* otherwise."""
        blockchain = self._settings.get("blockchain", "")
        if not self.is_play_money or blockchain not in TESTNETS:
            return Answer(
                outcome=Outcome.REFUSED,
                code="no_testnet",
                message="The faucet pays only on testnets, in sandbox mode.",
            )
        asked = {
            "address": self._settings.get("address", ""),
            "blockchain": blockchain,
            "usdc": True,
            "native": True,
        }
        reply = self._post("/v1/faucet/drips", asked)
        return Answer(outcome=Outcome.ACCEPTED) if reply.is_ok else answer_of_error(reply)

    @property
    def _balances(self) -> str:
        wallet = quote(self._settings.get("wallet", ""), safe="")
        return f"{_W3S}/wallets/{wallet}/balances"

    def _read(self, vendor_id: str) -> Answer:
        reply = self._get(f"{_W3S}/transactions/{quote(vendor_id, safe='')}")
        data = reply.body.get("data")
        answer = self._answer(reply, data.get("transaction") if isinstance(data, dict) else None)
        # Circle has named it, so a refusal to read it says nothing about it.
        if answer.outcome == Outcome.REFUSED:
            return Answer(outcome=Outcome.UNKNOWN, code=answer.code, message=answer.message)
        return answer

    def _transactions(self, query: list[tuple[str, str]]) -> list[JSON] | None:
        reply = self._get(f"{_W3S}/transactions", query)
        data = reply.body.get("data") if reply.is_ok else None
        found = data.get("transactions") if isinstance(data, dict) else None
        return found if isinstance(found, list) else None

    def _answer(self, reply: Reply, transaction: object) -> Answer:
        if not reply.is_ok:
            return answer_of_error(reply)
        if not isinstance(transaction, dict) or not text(transaction.get("id")):
            return Answer(outcome=Outcome.UNKNOWN, code="answer_not_understood")
        state = text(transaction.get("state"))
        try:
            amount = Decimal(transaction["amounts"][0])
        except (KeyError, IndexError, TypeError, ArithmeticError):
            amount = None
        return Answer(
            outcome=_STATES.get(state, Outcome.UNKNOWN),
            vendor_id=text(transaction["id"]),
            amount=amount,
            code=text(transaction.get("errorReason")) or state.lower(),
            message=text(transaction.get("errorDetails")),
        )

    def _ciphertext(self) -> str:
        reply = self._get(f"{_W3S}/config/entity/publicKey")
        try:
            return ciphertext(self._entity_secret, reply.body["data"]["publicKey"])
        except (KeyError, TypeError, ValueError, AttributeError):
            return ""

    def _post(self, path: str, sent: JSON) -> Reply:
        return self._http.send(
            Request(method="POST", path=path, headers=self._headers, body=json.dumps(sent).encode())
        )

    def _get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Reply:
        return self._http.send(Request(method="GET", path=path, headers=self._headers, query=query))
