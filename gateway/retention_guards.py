"""Why charges must be kept for now: prompts and answers of their calls are kept."""

from common import formatting
from gateway.models import Exchange
from keys.books.queries import retention_guards
from keys.models import ChargePartition


def _no_exchange_is_kept(partition: ChargePartition) -> str:
    lent = {
        "charge__allocation__created_at__gte": partition.starts_at,
        "charge__allocation__created_at__lt": partition.ends_at,
    }
    number = Exchange.objects.filter(**lent).count()
    if not number:
        return ""
    calls = formatting.count(number, "call")
    return f"The prompts and answers of {calls} are kept until they expire."


retention_guards.register(_no_exchange_is_kept)
