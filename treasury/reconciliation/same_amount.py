"""Find a sum of the same amount without comparing each of Butler's with each of the provider's."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable
from decimal import Decimal

from treasury.reconciliation.differences import Group, Tolerance
from treasury.reconciliation.sides import Open, Side

_NONE = 1 << 62


class SameAmount:
    """What the provider has of a day under another key or under another model, by amount."""

    def __init__(self, others: list[Side], tolerance: Tolerance) -> None:
        self._others = others
        found: dict[Hashable, list[tuple[Decimal, int]]] = defaultdict(list)
        for position, side in enumerate(others):
            for name in _names(side.group):
                found[name].append((side.theirs, position))
        self._amounts = {name: _Amounts(each, tolerance) for name, each in found.items()}

    def first(self, side: Side, left: Open) -> Side | None:
        """The first of them with the amount of the side that is left. What is not left once must
        not come back."""

        def is_left(position: int) -> bool:
            return self._others[position].group in left

        amounts = (self._amounts[name] for name in _names(side.group) if name in self._amounts)
        position = min((each.first(side.own, is_left) for each in amounts), default=_NONE)
        return None if position == _NONE else self._others[position]


def _names(group: Group) -> tuple[Hashable, Hashable]:
    return ("key", group.day, group.key), ("model", group.day, group.model)


class _Amounts:
    """Amounts in ascending order, each with a position, as a tree of the least positions."""

    def __init__(self, found: list[tuple[Decimal, int]], tolerance: Tolerance) -> None:
        self._tolerance = tolerance
        self._size = len(found)
        found = sorted(found)
        self._amounts = [amount for amount, _ in found]
        self._leaves = {position: leaf for leaf, (_, position) in enumerate(found, self._size)}
        self._tree = [_NONE] * self._size + [position for _, position in found]
        for node in range(self._size - 1, 0, -1):
            self._tree[node] = min(self._tree[2 * node], self._tree[2 * node + 1])

    def first(self, amount: Decimal, is_left: Callable[[int], bool]) -> int:
        """The least position that is left among the same amounts."""
        first, end = self._same(amount)
        while (position := self._least(first, end)) != _NONE and not is_left(position):
            self._remove(position)
        return position

    def _same(self, amount: Decimal) -> tuple[int, int]:
        """Where the amounts begin and end that count as the same: they lie around it."""
        amounts, allows = self._amounts, self._tolerance.allows
        middle = bisect_left(amounts, amount)
        first = bisect_left(amounts, True, 0, middle, key=lambda each: allows(amount, each))
        end = bisect_left(amounts, True, middle, key=lambda each: not allows(amount, each))
        return first, end

    def _least(self, first: int, end: int) -> int:
        """The least position of the amounts from the place `first` to before `end`."""
        least, first, end = _NONE, first + self._size, end + self._size
        while first < end:
            if first % 2:
                least, first = min(least, self._tree[first]), first + 1
            if end % 2:
                end -= 1
                least = min(least, self._tree[end])
            first, end = first // 2, end // 2
        return least

    def _remove(self, position: int) -> None:
        node = self._leaves[position]
        self._tree[node] = _NONE
        while node := node // 2:
            self._tree[node] = min(self._tree[2 * node], self._tree[2 * node + 1])
