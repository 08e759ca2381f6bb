"""The registry of reasons why charges must not be deleted yet. Open to apps above.

Such an app has a module `retention_guards`, which is imported at start:

    retention_guards.register(_months_are_closed)
"""

from collections.abc import Callable

from keys.models import ChargePartition

# Returns why the charges of the partition must be kept for now, as a sentence; blank if they need
# not be.
Guard = Callable[[ChargePartition], str]

_guards: list[Guard] = []


def register(guard: Guard) -> None:
    """Add a guard to the registry."""
    _guards.append(guard)


def reasons_to_keep(partition: ChargePartition) -> list[str]:
    """Why the charges of this partition must be kept for now; empty if they can be deleted."""
    return [reason for guard in _guards if (reason := guard(partition))]
