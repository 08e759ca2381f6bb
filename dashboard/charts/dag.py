"""A graph of dependencies, drawn from left to right."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

NODE_WIDTH, NODE_HEIGHT = 176, 44
_GAP_X, _GAP_Y, _MARGIN = 44, 14, 4
_NAME_CHARACTERS = 22
_SWEEPS = 2


class Node(NamedTuple):
    """A node that leads to `url`. `state` is the class of its colour, and its `sign` and `words`
    say the same to those who do not see colours."""

    key: int
    name: str
    state: str
    sign: str
    words: str
    url: str


class DrawnNode(NamedTuple):
    """A node with the place of its upper left corner, in pixels."""

    node: Node
    name: str
    x: int
    y: int


def dag_svg(nodes: Sequence[Node], needs: Iterable[tuple[int, int]], *, label: str) -> SafeString:
    """The graph; `needs` are pairs of keys: a node and one that it starts after.

    Each node stands right of all that it needs. What needs something that is not among `nodes`, or
    in a circle, is drawn as if it did not.
    """
    before = _among(nodes, needs)
    columns = _columns(nodes, before)
    places = _places(columns, before)
    drawn = [
        DrawnNode(node, _short(node.name), *places[node.key])
        for column in columns
        for node in column
    ]
    edges = [_curve(places[needed], places[key]) for key, keys in before.items() for needed in keys]
    rows = max(map(len, columns), default=0)
    shown = {
        "nodes": drawn,
        "edges": edges,
        "label": label,
        "width": max(len(columns) * (NODE_WIDTH + _GAP_X) - _GAP_X, 0) + 2 * _MARGIN,
        "height": max(rows * (NODE_HEIGHT + _GAP_Y) - _GAP_Y, 0) + 2 * _MARGIN,
        "node_width": NODE_WIDTH,
        "node_height": NODE_HEIGHT,
    }
    return render_to_string("dashboard/charts/dag.svg", shown)


def _among(nodes: Sequence[Node], needs: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    """What each node needs, in the order of `needs`."""
    before: dict[int, list[int]] = {node.key: [] for node in nodes}
    for key, needed in needs:
        if key in before and needed in before and key != needed:
            before[key].append(needed)
    return before


def _columns(nodes: Sequence[Node], before: Mapping[int, Sequence[int]]) -> list[list[Node]]:
    """The nodes by the longest way to them from one that needs nothing."""
    after, waits = defaultdict(list), {key: len(keys) for key, keys in before.items()}
    for key, keys in before.items():
        for needed in keys:
            after[needed].append(key)
    depth = dict.fromkeys(before, 0)
    ready = [key for key, number in waits.items() if not number]
    while ready:
        key = ready.pop()
        for each in after[key]:
            depth[each] = max(depth[each], depth[key] + 1)
            waits[each] -= 1
            if not waits[each]:
                ready.append(each)
    columns: list[list[Node]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in nodes:
        columns[depth[node.key]].append(node)
    return [column for column in columns if column]


def _places(
    columns: list[list[Node]], before: Mapping[int, Sequence[int]]
) -> dict[int, tuple[int, int]]:
    """The upper left corner of each node. Nodes stand near what they need, so few lines cross."""
    tallest = max(map(len, columns), default=0)
    rows: dict[int, float] = {}
    for _ in range(_SWEEPS):
        for column in columns:
            column.sort(
                key=lambda node: _middle([rows[key] for key in before[node.key] if key in rows])
            )
            # Shorter columns stand in the middle.
            start = (tallest - len(column)) / 2
            rows |= {node.key: start + number for number, node in enumerate(column)}
    step_x, step_y = NODE_WIDTH + _GAP_X, NODE_HEIGHT + _GAP_Y
    return {
        node.key: (_MARGIN + number * step_x, _MARGIN + round(rows[node.key] * step_y))
        for number, column in enumerate(columns)
        for node in column
    }


def _middle(rows: Sequence[float]) -> float:
    return sum(rows) / len(rows) if rows else 0


def _curve(start: tuple[int, int], end: tuple[int, int]) -> str:
    """The path of a line from the right side of a node to the left side of another one."""
    x1, y1 = start[0] + NODE_WIDTH, start[1] + NODE_HEIGHT // 2
    x2, y2 = end[0], end[1] + NODE_HEIGHT // 2
    bend = _GAP_X // 2
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"


def _short(name: str) -> str:
    return name if len(name) <= _NAME_CHARACTERS else f"{name[: _NAME_CHARACTERS - 1]}…"
