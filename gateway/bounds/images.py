"""The most tokens an image can be, by the rules that providers publish.

`gateway/model_catalogue.toml` has the rule of each model, and the sources.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import ceil

from gateway.bounds.image_size import Size, size_of_data_url
from gateway.model_catalogue import image_rules

# The only detail that makes an image smaller; any other value counts as the largest.
_LOW = "low"
_TILES_MAX = 8


# A rule: the size of the image, if it is known, and the detail requested -> tokens.
Rule = Callable[[Size | None, str], int]


@dataclass(frozen=True, slots=True)
class Tiles:
    """`base` and `tile` for every 512 px square, once the image fits 2048 x 2048 and its shorter
    side is at most 768 px."""

    base: int
    tile: int

    def __call__(self, size: Size | None, detail: str) -> int:
        return self.base + (0 if detail == _LOW else self.tile * _tiles(size))


def _tiles(size: Size | None) -> int:
    if size is None:
        return _TILES_MAX
    scale = min(1.0, 2048 / max(size), 768 / min(size))
    # The provider may round a side; the unrounded one never needs fewer squares.
    wide, high = (ceil(side * scale / 512) for side in size)
    return min(_TILES_MAX, wide * high)


@dataclass(frozen=True, slots=True)
class Patches:
    """`per_patch` tokens for every square of `side` px, at most `patches_max` of them.

    A larger image is scaled until it fits, which fills the maximum at most.
    """

    per_patch: float
    patches_max: int
    side: int = 32

    def __call__(self, size: Size | None, detail: str) -> int:
        patches = self.patches_max
        if size is not None:
            patches = min(patches, ceil(size[0] / self.side) * ceil(size[1] / self.side))
        return ceil(self.per_patch * patches) + 1


@dataclass(frozen=True, slots=True)
class Flat:
    """`tokens` for any image."""

    tokens: int

    def __call__(self, size: Size | None, detail: str) -> int:
        return self.tokens


@dataclass(frozen=True, slots=True)
class Largest:
    """The largest of several rules, when it is unknown which one holds."""

    rules: tuple[Rule, ...]

    def __call__(self, size: Size | None, detail: str) -> int:
        return max(rule(size, detail) for rule in self.rules)


_RULES: dict[str, Callable[..., Rule]] = {"tiles": Tiles, "patches": Patches, "flat": Flat}


def image_tokens_max(url: object, *, detail: object = None, model: str) -> int:
    """The most tokens of one image. The size is read from `url` if that is a data URL."""
    size = size_of_data_url(url) if isinstance(url, str) else None
    return _rule(model)(size, detail if isinstance(detail, str) else "")


@cache
def _rule(model: str) -> Rule:
    rules = [_RULES[kind](**fields) for kind, fields in image_rules(model).items()]
    return rules[0] if len(rules) == 1 else Largest(tuple(rules))
