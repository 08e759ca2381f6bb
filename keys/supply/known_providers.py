"""Well-known providers: their names, base URLs and wire formats."""

import json
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

_FILE = Path(__file__).parent / "data" / "providers.json"
# `openai-2` is a second account with `openai`.
_ACCOUNT_NUMBER = re.compile(r"-\d{1,4}$")


class WellKnown(NamedTuple):
    """The usual values of a provider; an unknown provider has only the default wire format."""

    name: str
    base_url: str = ""
    wire_format: str = "openai"


def well_known(slug: str) -> WellKnown:
    """The usual values for a provider with this slug, whose account number is ignored."""
    about = _all().get(without_account(slug))
    return WellKnown(**about) if about else WellKnown(slug)


def without_account(slug: str) -> str:
    """The provider's slug without the number of an account: `openai` for `openai-2`."""
    return _ACCOUNT_NUMBER.sub("", slug)


@cache
def _all() -> dict[str, dict[str, str]]:
    providers: dict[str, dict[str, str]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return providers
