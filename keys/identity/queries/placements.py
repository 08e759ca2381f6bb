"""Where cost centres are in the tree, and where they were."""

from collections.abc import Mapping, Sequence

from keys.models import Placement


def placement_paths() -> Mapping[str, Sequence[str]]:
    """The path of each placement, by its id as a string, as usage is grouped by it; one query."""
    rows = Placement.objects.order_by().values_list("pk", "path")
    return {str(placement): path for placement, path in rows}
