"""Serializers and fields that take a value as it is or not at all.

Django REST framework is lenient: "5" is a number to it, and a misspelt field is nothing. Where
money is spent on what was meant, a request that is not understood is refused.
"""

from decimal import Decimal
from typing import Any, ClassVar

from rest_framework import serializers

from prediction import services as prediction

TOKENS_MAX = 10**12
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class Strict(serializers.Serializer):
    """Refuses fields it does not know. `also` is added to its JSON schema."""

    also: ClassVar[dict[str, Any]] = {}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """The values, all of them understood."""
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError(dict.fromkeys(unknown, "There is no such field."))
        return super().to_internal_value(data)


def component_name(serializer: type[serializers.Serializer]) -> str:
    """The name of a serializer in the schema: `RotationView.Input` is `RotationInput`."""
    return serializer.__qualname__.replace("View.", "").replace(".", "")


class Integer(serializers.IntegerField):
    """A whole number of JSON: no string, no boolean."""

    def to_internal_value(self, data: Any) -> int:
        """The number."""
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        return super().to_internal_value(data)


class Boolean(serializers.BooleanField):
    """`true` or `false`, nothing that resembles them."""

    def to_internal_value(self, data: Any) -> bool:
        """The value."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class String(serializers.CharField):
    """A string of JSON, without NUL (PostgreSQL cannot keep it) and halves of characters."""

    def __init__(self, **options: Any) -> None:
        least = {} if options.get("allow_blank") else {"min_length": 1}
        super().__init__(trim_whitespace=False, **least, **options)

    def to_internal_value(self, data: Any) -> str:
        """The string."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Name(serializers.RegexField):
    """The name (slug) of a provider, key, agent or cost centre."""

    def __init__(self, **options: Any) -> None:
        super().__init__(NAME, trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        """The name."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Tokens(Integer):
    """A number of tokens."""

    def __init__(self, *, min_value: int = 0, **options: Any) -> None:
        super().__init__(min_value=min_value, max_value=TOKENS_MAX, **options)


class Text(serializers.CharField):
    """A text to estimate, with refusals of its own: too large, binary, not UTF-8, empty."""

    def run_validation(self, data: Any = serializers.empty) -> str:
        """The text. Refusals: those of `prediction.check_text`."""
        if data is serializers.empty:
            return super().run_validation(data)
        if not isinstance(data, str):
            self.fail("invalid")
        return prediction.check_text(data.encode("utf-8", "surrogatepass"))


class Usd(serializers.DecimalField):
    """US dollars with 9 places, as a string, so that nobody rounds them on the way."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=40, decimal_places=9, **options)


def usd(amount: Decimal | None) -> str | None:
    """As `Usd` shows it, where there are too many for a serializer each."""
    return None if amount is None else f"{amount:.9f}"
