"""The simulator of payments in a thread, with a client for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from threading import Thread

from treasury.rails.base import Order
from treasury.rails.simulator.rail import SimulatorRail
from treasury.rails.simulator.server import SimulatorServer


@contextmanager
def simulator(*, funds: str = "1000.00") -> Iterator[SimulatorServer]:
    """A simulator with play money that serves by HTTP."""
    server = SimulatorServer()
    server.vendor.add_funds(funds)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def rail_of(server: SimulatorServer) -> SimulatorRail:
    """The rail that calls it."""
    return SimulatorRail(server.url, timeout_seconds=5)


def body(rail: SimulatorRail, amount: str = "40.00", *, purchase: str = "p-1") -> str:
    """The request for a payment."""
    order = Order(purchase=purchase, amount=Decimal(amount), currency="USD", payee="openai")
    return rail.body(order)
