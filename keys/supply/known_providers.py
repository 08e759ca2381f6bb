"""Providers that everybody knows: what they are called, where they answer, what they speak."""

import json
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

_FILE = Path(__file__).parent / "data" / "providers.json"
# `openai-2` is a second account with `openai`.
_ACCOUNT_NUMBER = re.compile(r"-\d{1,4}$")


class WellKnown(NamedTuple):
    """What is usual for a provider; nothing but a wire format where nobody knows it."""

    name: str
    base_url: str = ""
    wire_format: str = "openai"


def well_known(slug: str) -> WellKnown:
    """What is usual for a provider of this name, whatever the number of the account."""
    about = _all().get(without_account(slug))
    return WellKnown(**about) if about else WellKnown(slug)


def without_account(slug: str) -> str:
    """The provider's name without the number of the account."""
    return _ACCOUNT_NUMBER.sub("", slug)


@cache
def _all() -> dict[str, dict[str, str]]:
    providers: dict[str, dict[str, str]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return providers
