"""Actors that tests of the pages share with those of the Token Manager."""

from tests.keys.conftest import people

__all__ = ["people"]
