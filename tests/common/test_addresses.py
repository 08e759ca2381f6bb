"""Which addresses may be called."""

import socket
import threading

import pytest

from common import addresses

PRIVATE = [
    "127.0.0.1",
    "127.1.2.3",
    "10.0.0.1",
    "172.16.5.5",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "0.0.0.0",  # noqa: S104 - not bound
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
]
PUBLIC = ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "example.org"]


@pytest.mark.parametrize("host", PRIVATE)
def test_what_is_not_public_is_not_called(host):
    with pytest.raises(addresses.NotAllowed):
        addresses.check(host, ())


@pytest.mark.parametrize("host", PUBLIC)
def test_public_addresses_and_names_pass(host):
    addresses.check(host, ())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "10.2.3.4", "192.168.7.7", "::ffff:10.1.1.1"])
def test_an_operator_allows_private_networks(host):
    addresses.check(host, addresses.networks(["private"]))


def test_an_operator_allows_one_network():
    allowed = addresses.networks(["10.1.0.0/16", "192.168.1.5"])
    addresses.check("10.1.2.3", allowed)
    addresses.check("192.168.1.5", allowed)
    for host in ("10.2.0.1", "192.168.1.6", "169.254.169.254"):
        with pytest.raises(addresses.NotAllowed):
            addresses.check(host, allowed)


def test_the_word_private_does_not_open_the_metadata_of_a_cloud():
    with pytest.raises(addresses.NotAllowed):
        addresses.check("169.254.169.254", addresses.networks(["private"]))


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001"])
def test_connections_are_checked_by_the_address_they_go_to(host, port):
    with addresses.only(()), pytest.raises(addresses.NotAllowed):
        socket.create_connection((host, port), timeout=5)
    socket.create_connection((host, port), timeout=5).close()


def test_allowed_connections_are_made(port):
    allowed = addresses.only(addresses.networks(["127.0.0.0/8"]))
    with allowed, socket.create_connection(("127.0.0.1", port), timeout=5) as way:
        assert way.getpeername() == ("127.0.0.1", port)


def test_a_socket_of_this_machine_is_not_called(tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        way = socket.socket(socket.AF_UNIX)
        with way, addresses.only(()), pytest.raises(addresses.NotAllowed):
            way.connect(path)


def test_other_threads_are_not_checked(port):
    results = []

    def connect():
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        results.append("connected")

    with addresses.only(()):
        thread = threading.Thread(target=connect)
        thread.start()
        thread.join()
    assert results == ["connected"]
