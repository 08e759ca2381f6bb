"""Whether an API key was ever used."""

from django.db.models import Exists, OuterRef, Q

from keys.models import Allocation, ApiKey, Charge


def is_lent_key() -> Q:
    """The condition, of API keys: an allocation names the key, or a charge that holds or settled.

    Each state by itself, since each has its index.
    """
    of_key = Charge.objects.filter(api_key=OuterRef("pk"))
    return (
        Q(Exists(Allocation.objects.filter(api_key=OuterRef("pk"))))
        | Q(Exists(of_key.filter(status=Charge.Status.SETTLED)))
        | Q(Exists(of_key.filter(status=Charge.Status.HELD)))
    )


def was_lent(slug: str) -> bool:
    """Whether an allocation or a charge names the API key."""
    return ApiKey.objects.filter(is_lent_key(), pk=slug).exists()
