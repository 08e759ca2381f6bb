"""Why charges must be kept for now: a month that they were settled in is not closed."""

from keys.books.queries import retention_guards
from keys.models import ChargePartition
from reports.queries.month_closes import last_close


def _months_are_closed(partition: ChargePartition) -> str:
    last = last_close()
    # Each close begins where the one before it ended.
    if partition.settled_until is None or (last and last.ends_at > partition.settled_until):
        return ""
    until = f"{partition.settled_until:%B %Y}"
    closed = f"closed up to {last.name}" if last else "not closed"
    return f"Its last call was settled in {until}, and months are {closed}."


retention_guards.register(_months_are_closed)
