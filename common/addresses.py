"""Which network addresses Butler may call when a person enters where: public ones, and those that
an operator allows. No Django in it.

A name is not enough to know: it may mean another address at the next look-up. So the address of
each connection is checked when it is made (`check`, `only`), and literal addresses also before.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

Network = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address
# What the word `private` means.
_PRIVATE = (
    "127.0.0.0/8",
    "::1/128",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "fc00::/7",
)
_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_BITS = 0xFFFF_FFFF
_allowed: ContextVar[Sequence[Network] | None] = ContextVar("allowed", default=None)
_guards: list[None] = []


class NotAllowed(OSError):
    """The address is neither public nor in a network that an operator allows."""


def networks(words: Sequence[str]) -> list[Network]:
    """Networks such as `10.0.0.0/8`, `192.168.1.5` or `private`: this machine and private networks.

    Raises ValueError.
    """
    found: list[Network] = []
    for word in words:
        found += map(ip_network, _PRIVATE) if word == "private" else [ip_network(word)]
    return found


def check(host: str, allowed: Sequence[Network]) -> None:
    """Raises NotAllowed if `host` is a literal address that may not be called. Names pass."""
    try:
        address = _embedded(ip_address(host.strip("[]").partition("%")[0]))
    except ValueError:
        return
    if not (address.is_global and not address.is_multicast) and not any(
        address in network for network in allowed
    ):
        raise NotAllowed(f"{host} is not a public address.")


@contextmanager
def only(allowed: Sequence[Network]) -> Iterator[None]:
    """While it lasts, Python's sockets of this thread or task connect to allowed addresses only.

    For libraries that open their own connections. A connection elsewhere raises NotAllowed.
    """
    if not _guards:
        # Hooks stay for the life of the process, so there is one.
        sys.addaudithook(_guard)
        _guards.append(None)
    token = _allowed.set(allowed)
    try:
        yield
    finally:
        _allowed.reset(token)


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and (allowed := _allowed.get()) is not None:
        address = arguments[1]
        if not isinstance(address, tuple):
            raise NotAllowed("A socket of this machine may not be called.")
        check(str(address[0]), allowed)


def _embedded(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 address leads to, if it leads to one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & _IPV4_BITS)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address
