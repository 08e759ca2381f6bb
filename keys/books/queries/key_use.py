"""Whether an API key was ever used."""

from django.db.models import Exists, OuterRef, Q

from keys.models import Allocation, ApiKey, Charge


def is_lent_key() -> Q:
    """The condition, of API keys: an allocation or a charge names the key."""
    return Q(Exists(Allocation.objects.filter(api_key=OuterRef("pk")))) | Q(
        Exists(Charge.objects.filter(api_key=OuterRef("pk")))
    )


def was_lent(slug: str) -> bool:
    """Whether an allocation or a charge names the API key."""
    return ApiKey.objects.filter(is_lent_key(), pk=slug).exists()
