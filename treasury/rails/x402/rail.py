"""The rail of x402: a wallet that signs; services and the blockchain carry out what it signed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from treasury.rails.base import Answer, Capability, Outcome, StatementLine
from treasury.rails.kinds import Connection
from treasury.rails.x402.networks import TOKEN_PLACES, Network
from treasury.rails.x402.signing import Authorization, address_of, private_key, sign


class X402Rail:
    """Signs payments of agents to services. It calls nobody, so it pays no payee of credit."""

    currency = "USDC"
    scale = TOKEN_PLACES
    is_play_money = True
    capabilities: frozenset[Capability] = frozenset()
    key_life = timedelta(0)

    def __init__(self, connection: Connection) -> None:
        self.name = connection.name
        self._secret = connection.secret

    def address(self) -> str:
        """The address of the wallet. Raises ValueError if its key is none."""
        return address_of(private_key(self._secret))

    def sign(self, network: Network, authorization: Authorization) -> str:
        """The signature of a payment, in hexadecimal. Raises ValueError if the key is none."""
        return sign(private_key(self._secret), network, authorization)

    def find(self, purchase: str, *, vendor_id: str = "", since: datetime | None = None) -> Answer:
        """See `Rail`: it has no payments of its own."""
        return Answer(outcome=Outcome.UNKNOWN, code="not_told")

    def problem(self) -> str:
        """See `Rail`."""
        try:
            self.address()
        except ValueError as error:
            return str(error)
        return ""

    def balance(self) -> Decimal | None:
        """See `Rail`: no blockchain is asked."""
        return None

    def statement(self, *, after: int) -> Sequence[StatementLine] | None:
        """See `Rail`."""
        return None
