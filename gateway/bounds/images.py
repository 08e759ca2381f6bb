"""The most tokens an image can be, by the rules that providers publish.

The model catalogue has the rules of each model.
"""

from math import ceil

from gateway.bounds.image_size import Size, size_of_data_url
from keys.supply.image_rules import Patches, Tiles
from keys.supply.model_facts import ModelFacts

# The only detail that makes an image smaller; any other value counts as the largest.
_LOW = "low"
_TILES_MAX = 8
# Of a model without any rule, as `model_facts.toml` says of those it does not know.
_UNKNOWN = 16_384


def image_tokens_max(url: object, *, detail: object = None, model: ModelFacts) -> int:
    """The most tokens of one image. The size is read from `url` if that is a data URL."""
    size = size_of_data_url(url) if isinstance(url, str) else None
    rules = model.image_rules
    counted = []
    if rules.tiles:
        counted.append(_tiles_max(rules.tiles, size, is_low=detail == _LOW))
    if rules.patches:
        counted.append(_patches_max(rules.patches, size))
    if rules.flat:
        counted.append(rules.flat.tokens)
    return max(counted, default=_UNKNOWN)


def _tiles_max(rule: Tiles, size: Size | None, *, is_low: bool) -> int:
    return rule.base + (0 if is_low else rule.tile * _tiles(size))


def _tiles(size: Size | None) -> int:
    if size is None:
        return _TILES_MAX
    scale = min(1.0, 2048 / max(size), 768 / min(size))
    # The provider may round a side; the unrounded one never needs fewer squares.
    wide, high = (ceil(side * scale / 512) for side in size)
    return min(_TILES_MAX, wide * high)


def _patches_max(rule: Patches, size: Size | None) -> int:
    patches = rule.patches_max
    if size is not None:
        patches = min(patches, ceil(size[0] / rule.side) * ceil(size[1] / rule.side))
    return ceil(rule.per_patch * patches) + 1
