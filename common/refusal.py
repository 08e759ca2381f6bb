"""Refusals: the only failures that are not bugs. The system works and says no."""

import re
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, TypeAlias

JSON: TypeAlias = "None | bool | int | float | str | list[JSON] | dict[str, JSON]"

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(eq=False)
class Refusal(Exception):
    """Has a stable `code`, a sentence for people (`detail`) and typed fields for programs.

    A subclass with fields is a `@dataclass(kw_only=True, eq=False)` (an exception has its identity
    and its hash, so it is compared by neither). Its `code` is its name in snake_case. Its sentence
    is built in `sentence`, or given where it is raised. Fields never contain a secret;
    `butler_site.errors` maps each class to an HTTP status.
    """

    code: ClassVar[str] = "refusal"
    detail: str = ""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.code = _WORD_START.sub("_", cls.__name__).lower()

    def __post_init__(self) -> None:
        self.detail = self.detail or self.sentence()

    def __str__(self) -> str:
        return self.detail

    def sentence(self) -> str:
        """Who says no to what, and what to do next. Only for classes that say it themselves."""
        raise NotImplementedError(f"{type(self).__name__} was raised without a sentence")

    def facts(self) -> dict[str, JSON]:
        """The fields beside the sentence, as JSON has them; an optional one only if it is set."""
        return {
            field.name: to_json(value)
            for field in fields(self)
            if field.name != "detail"
            and ((value := getattr(self, field.name)) is not None or field.default is not None)
        }


def to_json(value: Any) -> JSON:
    """Moments in ISO 8601, decimals as strings without exponent, dataclasses as objects."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list | tuple):
        return [to_json(each) for each in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"A refusal cannot say a {type(value).__name__}")
