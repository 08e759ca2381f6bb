"""A model field for a sealed secret. Open to every app.

    class ApiKey(models.Model):
        slug = models.SlugField(unique=True, editable=False)
        secret = SealedField(bound_to="slug")

The value is a `Sealed`, which prints as "sealed". Only `security.services.seal_into` and
`unseal_from` write and read the text in it.
"""

from collections.abc import Sequence
from typing import Any, NoReturn, SupportsIndex

from django.core import checks
from django.core.exceptions import FieldDoesNotExist
from django.db import models

SHOWN_AS = "sealed"


class Sealed:
    """Sealed bytes that are not printed, serialised or pickled."""

    __slots__ = ("_bytes",)

    def __init__(self, sealed: bytes) -> None:
        self._bytes = bytes(sealed)

    def __bytes__(self) -> bytes:
        return self._bytes

    def __repr__(self) -> str:
        return SHOWN_AS

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and other._bytes == self._bytes

    def __hash__(self) -> int:
        return hash(self._bytes)

    def __copy__(self) -> "Sealed":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Sealed":
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Queues and caches keep pickles as they are: pass the row's id instead."""
        raise TypeError("A sealed value is not pickled: pass the id of its row.")


class SealedField(models.BinaryField):  # type: ignore[type-arg]
    """A secret, sealed for its row, which the unique field `bound_to` identifies.

    `bound_to` names another field of the model. Changing its value makes the secret unreadable, so
    it must be read-only after creation; if no field is, add a UUIDField(default=uuid4). A wrong
    `bound_to` is the system check butler.E021. Plain bytes and text are refused with a TypeError.
    """

    description = "A sealed secret"
    non_db_attrs = (*models.BinaryField.non_db_attrs, "bound_to")

    def __init__(self, *args: Any, bound_to: str, **kwargs: Any) -> None:
        self.bound_to = bound_to
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        """As every field, with `bound_to`."""
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "bound_to": self.bound_to}

    @property
    def bound_field(self) -> "models.Field[Any, Any]":
        """The field that `bound_to` names; the system check butler.E021 says if it is missing."""
        field = self.model._meta.get_field(self.bound_to)
        if not isinstance(field, models.Field):
            raise TypeError(f"{self.bound_to} is not a column of {self.model._meta.label}.")
        return field

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """As every field, and that `bound_to` is a unique field."""
        return [*super().check(**kwargs), *self._check_bound_to()]

    def get_default(self) -> Any:
        """None: an unset secret is missing (NULL), not empty."""
        return super().get_default() or None

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Sealed | None:
        """What the database has, wrapped."""
        return None if value is None else Sealed(value)

    def to_python(self, value: Any) -> Sealed | None:
        """The value, if it is sealed or None. Raises TypeError otherwise."""
        if value is None or isinstance(value, Sealed):
            return value
        raise TypeError(f"{self} takes sealed values: use security.services.seal_into.")

    def get_prep_value(self, value: Any) -> bytes | None:
        """The bytes to store."""
        sealed = self.to_python(value)
        return None if sealed is None else bytes(sealed)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """The bytes to store, as the database driver wants them."""
        stored = value if prepared else self.get_prep_value(value)
        return None if stored is None else connection.Database.Binary(stored)

    def value_to_string(self, obj: models.Model) -> str:
        """What serialisers write: never the bytes."""
        return SHOWN_AS

    def _check_bound_to(self) -> list[checks.CheckMessage]:
        try:
            bound_to = self.model._meta.get_field(self.bound_to)
        except FieldDoesNotExist:
            bound_to = None
        if isinstance(bound_to, models.Field) and bound_to.unique:
            return []
        return [
            checks.Error(
                f"bound_to={self.bound_to!r} is not a unique field of the model.",
                hint="Name a unique field that never changes after the row was created.",
                obj=self,
                id="butler.E021",
            )
        ]


def field_context(instance: models.Model, field_name: str) -> str:
    """Name of the place `instance.field_name`, such as `keys.apikey.secret:nvidia-1`.

    Raises ValueError when the row has no value in `bound_to` yet.
    """
    field = instance._meta.get_field(field_name)
    if not isinstance(field, SealedField):
        raise TypeError(f"{field} is not a SealedField.")
    bound_to = field.bound_field
    value = bound_to.to_python(getattr(instance, bound_to.attname))
    if value in (None, ""):
        raise ValueError(f"Set {bound_to} before {field} is sealed: it names the row.")
    return f"{field.model._meta.label_lower}.{field.name}:{value}"
