"""Addresses of accounts on Ethereum's chains."""

import re

from Cryptodome.Hash import keccak

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def keccak256(content: bytes) -> bytes:
    """The hash that Ethereum uses; not SHA3-256, which pads otherwise."""
    return keccak.new(digest_bits=256, data=content).digest()


def checksummed(address: str) -> str:
    """The address with its checksum in upper and lower case (EIP-55).

    Raises ValueError for what is none, or has a wrong checksum: a letter was changed.
    """
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"{address[:60]} is no address: it has 40 hexadecimal digits after 0x.")
    digits = address[2:].lower()
    marks = keccak256(digits.encode()).hex()
    marked = "".join(
        digit.upper() if int(mark, 16) >= 8 else digit
        for digit, mark in zip(digits, marks, strict=False)
    )
    has_checksum = address[2:] not in (digits, digits.upper())
    if has_checksum and address[2:] != marked:
        raise ValueError(f"The checksum of the address {address} is wrong.")
    return f"0x{marked}"
