"""The routes on which providers count; the data is in `routes.toml`."""

import tomllib
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

from gateway.dialects import DIALECTS, Dialect

_FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True)
class CountRoute:
    """A provider's route that counts. `only_files`: it does not take whole requests of the calls,
    only the files in them."""

    dialect: Dialect
    fields: frozenset[str]
    margin_share: float
    margin_tokens: int
    only_files: bool

    def with_margin(self, tokens: int) -> int:
        """The most that a call can be billed for what was counted as `tokens`."""
        return tokens + ceil(tokens * self.margin_share) + self.margin_tokens


def count_route(provider: str, path: str) -> CountRoute | None:
    """The route on which `provider` counts the calls of `path`; None if it has none."""
    return _routes().get((provider, path))


@cache
def _routes() -> dict[tuple[str, str], CountRoute]:
    rows = tomllib.loads(_FILE.read_text(encoding="utf-8"))["routes"]
    return {(provider, row["calls"]): _route(row) for row in rows for provider in row["providers"]}


def _route(row: dict[str, Any]) -> CountRoute:
    return CountRoute(
        dialect=next(each for each in DIALECTS if each.path == row["path"]),
        fields=frozenset(row["fields"]),
        margin_share=row["margin_share"],
        margin_tokens=row["margin_tokens"],
        only_files=row.get("only_files", False),
    )
