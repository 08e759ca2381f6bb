"""Which models and providers agents and cost centres allow. No database."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from keys.patterns import regular_expression


@dataclass(frozen=True)
class AllowList:
    """What one agent or cost centre allows: names or patterns in lower case; none: all."""

    scope: str
    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Who allows what, for a refusal."""
        parts = [
            f"the {what} {', '.join(names)}"
            for what, names in (("models", self.models), ("providers", self.providers))
            if names
        ]
        return f"{self.scope} allows only {' and '.join(parts)}"


@dataclass(frozen=True)
class AllowLists:
    """The allow-lists of all who pay for a session. What it uses must be on each of them."""

    lists: tuple[AllowList, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is restricted."""
        return bool(self.lists)

    @cached_property
    def models(self) -> list[str]:
        """Regular expressions, each of which must match the name of a model in lower case."""
        return [_any_of(each.models) for each in self.lists if each.models]

    @cached_property
    def providers(self) -> list[str]:
        """Regular expressions, each of which must match the name of a provider."""
        return [_any_of(each.providers) for each in self.lists if each.providers]

    def allow_model(self, *names: str) -> bool:
        """Whether a model that has these names is allowed: by one of them."""
        return any(_matches(self.models, name.lower()) for name in names)

    def allow_provider(self, slug: str) -> bool:
        """Whether keys of the provider may be used."""
        return _matches(self.providers, slug)


def _any_of(patterns: Iterable[str]) -> str:
    return f"^(?:{'|'.join(map(regular_expression, patterns))})$"


def _matches(expressions: list[str], name: str) -> bool:
    return all(re.search(expression, name) for expression in expressions)


ALL_ALLOWED = AllowLists()
