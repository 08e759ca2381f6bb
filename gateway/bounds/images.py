"""The most tokens an image can be, by the rules its provider publishes.

OpenAI's rules: https://platform.openai.com/docs/guides/images-vision (calculating costs).
Anthropic's: https://platform.claude.com/docs/en/build-with-claude/vision.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import ceil

from gateway.bounds.image_size import Size, size_of_data_url
from gateway.bounds.tokenizers import bare_name

# Any detail a client may ask for; whatever else it writes is taken for the largest.
_LOW = "low"


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
        return 8
    scale = min(1.0, 2048 / max(size), 768 / min(size))
    # However the provider rounds a side, it needs no more squares than the unrounded one.
    wide, high = (ceil(side * scale / 512) for side in size)
    return min(8, wide * high)


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
    """Always the same."""

    tokens: int

    def __call__(self, size: Size | None, detail: str) -> int:
        return self.tokens


@dataclass(frozen=True, slots=True)
class Largest:
    """Of several rules that may be the one, the largest."""

    rules: tuple[Callable[[Size | None, str], int], ...]

    def __call__(self, size: Size | None, detail: str) -> int:
        return max(rule(size, detail) for rule in self.rules)


# "original" detail takes 10,000 patches; 2.46 is the largest factor OpenAI publishes.
_GPT_5 = Largest((Tiles(85, 170), Patches(2.46, 10_000)))
# Claude: 28 px patches, 4,784 of them since Opus 4.7 (2576 px); w * h / 750 is the older rule.
_CLAUDE = Patches(28 * 28 / 750, 5_000, side=28)
# Qwen's processors end at 16,384 (of 28 px); others make small images larger, so size is no help.
_UNKNOWN = Flat(16_384)

# The first that matches.
_RULES: tuple[tuple[str, Callable[[Size | None, str], int]], ...] = (
    (r"gpt-4o-mini", Tiles(2833, 5667)),
    (r"gpt-4\.1-mini", Patches(1.62, 1536)),
    (r"gpt-4\.1-nano", Patches(2.46, 1536)),
    (r"o4-mini|codex-mini", Patches(1.72, 1536)),
    (r"gpt-4(o|\.1|\.5|-)|chatgpt-4o", Tiles(85, 170)),
    (r"o1|o3", Tiles(75, 150)),
    (r"computer-use-preview", Tiles(65, 129)),
    (r"gpt-|chatgpt|o\d", _GPT_5),
    (r"(.*[./])?claude", _CLAUDE),
)


def image_tokens_max(url: object, *, detail: object = None, model: str) -> int:
    """The most one image can be. `url`: a data URL, whose size is read, or any other address."""
    size = size_of_data_url(url) if isinstance(url, str) else None
    return _rule(model)(size, detail if isinstance(detail, str) else "")


@cache
def _rule(model: str) -> Callable[[Size | None, str], int]:
    name = bare_name(model)
    return next((rule for models, rule in _RULES if re.match(models, name)), _UNKNOWN)
