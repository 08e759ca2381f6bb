"""Serializers and fields that accept a value as it is or refuse it.

Django REST framework is lenient: it reads "5" as a number and ignores misspelt fields. Requests of
this API spend money, so one that is not understood is refused.
"""

from decimal import Decimal
from typing import Any, ClassVar

from rest_framework import serializers

from prediction import services as prediction

TOKENS_MAX = 10**12
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class Strict(serializers.Serializer):
    """Refuses unknown fields. `also` is added to its JSON schema."""

    also: ClassVar[dict[str, Any]] = {}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the values. Raises ValidationError, also for an unknown field."""
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError(dict.fromkeys(unknown, "This field does not exist."))
        values: dict[str, Any] = super().to_internal_value(data)
        return values


def component_name(serializer: type[serializers.Serializer]) -> str:
    """Return the name of a serializer in the schema: `RotationView.Input` is `RotationInput`."""
    return serializer.__qualname__.replace("View.", "").replace(".", "")


class Integer(serializers.IntegerField):
    """A whole number of JSON. Strings and booleans are refused."""

    def to_internal_value(self, data: Any) -> int:
        """Return the number. Raises ValidationError."""
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        return super().to_internal_value(data)


class Boolean(serializers.BooleanField):
    """`true` or `false` of JSON. Strings and numbers are refused."""

    def to_internal_value(self, data: Any) -> bool:
        """Return the value. Raises ValidationError."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class String(serializers.CharField):
    """A string of JSON, without NUL (PostgreSQL cannot keep it) and without lone surrogates."""

    def __init__(self, **options: Any) -> None:
        if not options.get("allow_blank"):
            options["min_length"] = 1
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        """Return the string. Raises ValidationError."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Name(serializers.RegexField):
    """The name (slug) of a provider, key, agent or cost centre."""

    def __init__(self, **options: Any) -> None:
        super().__init__(NAME, trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        """Return the name. Raises ValidationError."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Tokens(Integer):
    """A number of tokens."""

    def __init__(self, *, min_value: int = 0, **options: Any) -> None:
        super().__init__(min_value=min_value, max_value=TOKENS_MAX, **options)


class Text(serializers.CharField):
    """A text to estimate, with its own refusals: too large, binary, not UTF-8, empty."""

    def run_validation(self, data: Any = serializers.empty) -> str:
        """Return the text. Refusals: those of `prediction.check_text`."""
        if data is serializers.empty:
            return str(super().run_validation(data))
        if not isinstance(data, str):
            self.fail("invalid")
        return prediction.check_text(data.encode("utf-8", "surrogatepass"))


class Usd(serializers.DecimalField):
    """US dollars with 9 places, as a string, so that no client rounds them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=40, decimal_places=9, **options)


def usd(amount: Decimal | None) -> str | None:
    """Return the amount as `Usd` serializes it, for bodies too large for serializers."""
    return None if amount is None else f"{amount:.9f}"
