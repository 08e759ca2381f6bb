"""The plan of a task as a graph: its parts from left to right, each leading to its page."""

from collections.abc import Sequence
from typing import Any

from django.utils.safestring import SafeString

from common import links
from dashboard.charts.dag import Node, dag_svg
from dashboard.tasks.states import SIGNS
from orchestration.models import SubTask
from orchestration.queries.parts import dependencies

# More would be neither readable nor small.
NODES_MAX = 200


def graph(parts: Sequence[SubTask]) -> SafeString:
    """The graph of these parts; one query."""
    nodes = [
        Node(
            key=part.pk,
            name=f"{part.position}. {part.name}",
            state=part.status,
            sign=SIGNS[part.status],
            words=part.status,
            url=links.url("sub_task", part.pk),
        )
        for part in parts
    ]
    return dag_svg(nodes, dependencies(parts), label="Parts of the plan and what they wait for")


def legend() -> list[Any]:
    """Each status with its sign."""
    return list(SIGNS.items())
