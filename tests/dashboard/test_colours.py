"""The colours of the style sheets: text and charts can be told from their ground and each other."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from butler_site.settings import BASE_DIR

TOKENS = Path(BASE_DIR, "dashboard/static/dashboard/css/tokens.css").read_text()
LIGHT = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}), #\w{6}\)", TOKENS))
DARK = dict(re.findall(r"--([\w-]+): light-dark\(#\w{6}, (#\w{6})\)", TOKENS))
THEMES = {"light": LIGHT, "dark": DARK}
SERIES = [f"series-{slot}" for slot in range(8)]
ON_GROUNDS = ["text", "muted", "accent"]
BADGES = [("good", "good-ground"), ("warn", "warn-ground"), ("bad", "bad-ground")]
TEXT_CONTRAST, GRAPHIC_CONTRAST = 4.5, 3
# How people see who lack the cones for red, or for green (Viénot, Brettel, Mollon 1999).
SEEN = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.1124, 0.8876, 0), (0.1124, 0.8876, 0), (0.004, -0.004, 1)),
    "deutan": ((0.2928, 0.7072, 0), (0.2928, 0.7072, 0), (-0.0223, 0.0223, 1)),
}


def linear(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def luminance(colour):
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def lab(colour, matrix):
    """The colour in Oklab, as somebody sees it."""
    seen = [sum(k * part for k, part in zip(row, linear(colour), strict=True)) for row in matrix]
    to_lms = (
        (0.4122214708, 0.5363325363, 0.0514459929),
        (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005),
    )
    long, middle, short = (
        max(sum(k * part for k, part in zip(row, seen, strict=True)), 0) ** (1 / 3)
        for row in to_lms
    )
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def difference(one, other, matrix):
    pairs = zip(lab(one, matrix), lab(other, matrix), strict=True)
    return sum((a - b) ** 2 for a, b in pairs) ** 0.5


@pytest.mark.parametrize("theme", THEMES)
def test_text_can_be_read(theme):
    colours = THEMES[theme]
    for name in ON_GROUNDS:
        for ground in ("ground", "surface", "raised", "sunken"):
            assert contrast(colours[name], colours[ground]) >= TEXT_CONTRAST, (name, ground)
    for name, ground in BADGES:
        assert contrast(colours[name], colours[ground]) >= TEXT_CONTRAST, name


@pytest.mark.parametrize("theme", THEMES)
def test_parts_of_a_chart_stand_out_from_their_ground(theme):
    colours = THEMES[theme]
    for name in [*SERIES, "series-other"]:
        assert contrast(colours[name], colours["surface"]) >= GRAPHIC_CONTRAST, name


@pytest.mark.parametrize("sight", SEEN)
@pytest.mark.parametrize("theme", THEMES)
def test_parts_that_touch_differ_for_everybody(theme, sight):
    colours = THEMES[theme]
    for one, other in pairwise(SERIES):
        assert difference(colours[one], colours[other], SEEN[sight]) > 0.06, (one, other)
