"""Strict readers of environment variables: a wrong value stops the start with a sentence.

Each reader takes the variable's name and a default, and raises `WrongSetting` with a text that
says which variable is wrong and what to write instead.
"""

import os
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit


class WrongSetting(SystemExit):
    """A setting cannot be understood; the process must not start."""


def _raw(name: str, environ: Mapping[str, str]) -> str | None:
    value = environ.get(name, "").strip()
    return value or None


def text(name: str, default: str = "", *, environ: Mapping[str, str] = os.environ) -> str:
    """The variable as it is, or `default` when it is unset or blank."""
    return _raw(name, environ) or default


def flag(name: str, default: bool, *, environ: Mapping[str, str] = os.environ) -> bool:
    """A yes or no."""
    value = _raw(name, environ)
    if value is None:
        return default
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    if value.lower() not in words:
        raise WrongSetting(f"{name} is {value!r}: write yes or no.")
    return words[value.lower()]


def integer(
    name: str,
    default: int,
    *,
    least: int,
    most: int,
    environ: Mapping[str, str] = os.environ,
) -> int:
    """A whole number from `least` to `most`."""
    value = _raw(name, environ)
    if value is None:
        return default
    if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
        raise WrongSetting(f"{name} is {value!r}: write a whole number from {least} to {most}.")
    return int(value)


def words(
    name: str, default: tuple[str, ...] = (), *, environ: Mapping[str, str] = os.environ
) -> list[str]:
    """A list separated by commas."""
    value = _raw(name, environ)
    if value is None:
        return list(default)
    return [word.strip() for word in value.split(",") if word.strip()]


def postgres_url(
    name: str, *, environ: Mapping[str, str] = os.environ
) -> dict[str, str | dict[str, str]] | None:
    """Django's connection settings from `postgres://user:password@host:port/name?option=…`."""
    value = _raw(name, environ)
    if value is None:
        return None
    url = urlsplit(value)
    if url.scheme not in {"postgres", "postgresql"} or not url.path.strip("/"):
        raise WrongSetting(f"{name} is not usable: write postgres://user:password@host:5432/name.")
    options = dict(parse_qsl(url.query))
    return {
        "HOST": options.pop("host", unquote(url.hostname or "")),
        "PORT": str(url.port or ""),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "NAME": url.path.strip("/"),
        "OPTIONS": options,
    }
