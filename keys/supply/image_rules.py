"""The rules that providers publish for the size of an image in tokens, as values.

`gateway.bounds.images` counts by them.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from keys.refusals import WrongValue

_Tokens = Annotated[int, Meta(ge=0, le=1_000_000)]
_Count = Annotated[int, Meta(ge=1, le=1_000_000)]
_Factor = Annotated[float, Meta(gt=0, le=1_000)]


class Tiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`base` and `tile` for every 512 px square, once the image fits 2048 x 2048 and its shorter
    side is at most 768 px."""

    base: _Tokens
    tile: _Tokens


class Patches(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`per_patch` tokens for every square of `side` px, at most `patches_max` of them.

    A larger image is scaled until it fits, which fills the maximum at most.
    """

    per_patch: _Factor
    patches_max: _Count
    side: _Count = 32


class Flat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`tokens` for any image."""

    tokens: _Tokens


class ImageRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule, or several if it is unknown which one holds: then the largest number does."""

    tiles: Tiles | None = None
    patches: Patches | None = None
    flat: Flat | None = None


def image_rules_from_json(value: Any) -> ImageRules:
    """The rules in decoded JSON. Refusals: WrongValue."""
    try:
        return msgspec.convert(value, ImageRules)
    except msgspec.ValidationError as error:
        raise WrongValue(
            f"These rules of images cannot be used: {error}. Write them as "
            '{"tiles": {"base": 85, "tile": 170}}, '
            '{"patches": {"per_patch": 1.62, "patches_max": 1536, "side": 32}} or '
            '{"flat": {"tokens": 1024}}.',
            field="image_rules",
        ) from None


# msgspec prepares types at their first use, and a process in which several threads do it at once
# crashes.
msgspec.json.Decoder(ImageRules)
