"""Strict readers of environment variables: a wrong value stops the start with a sentence.

Each reader takes the variable's name and a default, and raises `WrongSetting` with a text that
says which variable is wrong and what to write instead. A blank variable counts as not set.
The text never repeats a secret (addresses of databases, keys).
"""

import os
import re
import secrets
from collections.abc import Collection, Mapping, MutableMapping
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from common import addresses

# Each part begins with a letter or digit, so that no `..` or `//` is in it.
_PATH = re.compile(r"(/[A-Za-z0-9][A-Za-z0-9._~-]*)*")


# The names of all variables that were read.
_read: set[str] = set()
# How alike a name must be to be meant: one with the prefix, and any other.
_ALIKE_MIN, _SURELY_ALIKE_MIN = 0.8, 0.9
_QUOTED = re.compile(r"""(["'])(.*?)\1\s*(?:#.*)?""")
_COMMENT = re.compile(r"\s+#")


class WrongSetting(SystemExit):
    """A setting cannot be understood; the process must not start. Prints its text, exits with 1."""


def read_file(path: Path, *, environ: MutableMapping[str, str] = os.environ) -> None:
    """Add the `NAME=value` lines of `path`, if it exists, to `environ`; what is set there stays."""
    if not _is_file(path):
        return
    lines: dict[str, int] = {}
    for number, line in enumerate(_text(path).splitlines(), start=1):
        line = line.strip().removeprefix("export ")
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier() or "\0" in value:
            raise WrongSetting(f"{path}, line {number}: write NAME=value, or # before a comment.")
        if earlier := lines.get(name):
            raise WrongSetting(f"{path}, line {number}: {name} is in line {earlier} already.")
        lines[name] = number
        environ.setdefault(name, _unquote(value.strip()))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise _unreadable(path, error) from None


def _text(path: Path) -> str:
    try:
        # Editors of Windows begin a file with a byte order mark.
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise WrongSetting(f"{path} is not UTF-8: save it as UTF-8.") from None
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> WrongSetting:
    why = os.strerror(error.errno or 0)
    return WrongSetting(f"{path} cannot be read ({why}): give this user the right to.")


def _unquote(value: str) -> str:
    """The value without quotation marks, and without a comment behind it."""
    if quoted := _QUOTED.fullmatch(value):
        return quoted[2]
    return _COMMENT.split(value, maxsplit=1)[0]


def _raw(name: str, environ: Mapping[str, str]) -> str | None:
    _read.add(name)
    value = environ.get(name, "").strip()
    return value or None


def unknown(
    *, prefix: str, elsewhere: Collection[str], environ: Mapping[str, str] = os.environ
) -> dict[str, str | None]:
    """The variables that were not read and begin with `prefix`, or nearly so, each with a name that
    is like it.

    `elsewhere`: names that other programs read. A blank variable counts as not set.
    """
    known = _read.union(elsewhere)
    found = {}
    for name in sorted(environ):
        if name in known or not environ[name].strip():
            continue
        meant = _meant(name, prefix, known)
        # Other programs have variables, too: one of theirs is told only if it is surely misspelt.
        if name.startswith(prefix) or (meant and not environ.get(meant, "").strip()):
            found[name] = meant
    return found


def _meant(name: str, prefix: str, known: Collection[str]) -> str | None:
    """The known name that was perhaps meant by one that is none."""
    if (bare := name.removeprefix(prefix)) in known:
        return bare
    cutoff = _ALIKE_MIN if name.startswith(prefix) else _SURELY_ALIKE_MIN
    return next(iter(get_close_matches(name.upper(), sorted(known), n=1, cutoff=cutoff)), None)


def text(name: str, default: str = "", *, environ: Mapping[str, str] = os.environ) -> str:
    """The variable as it is, or `default` when it is unset or blank."""
    return _raw(name, environ) or default


def folder(name: str, default: Path, *, environ: Mapping[str, str] = os.environ) -> Path:
    """An absolute path, also of a folder that is not there yet; `~` is the home of this user."""
    value = _raw(name, environ)
    try:
        return Path(value).expanduser().resolve() if value else default.resolve()
    except (OSError, RuntimeError):  # Links that lead to themselves, and the home of nobody.
        raise WrongSetting(f"{name} is {value!r}: write the path of a folder.") from None


def flag(name: str, default: bool, *, environ: Mapping[str, str] = os.environ) -> bool:
    """A boolean, written as 1, true, yes, on, or 0, false, no, off."""
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
    digits = value.isascii() and value.isdigit() and len(value) < 20
    if not digits or not least <= int(value) <= most:
        raise WrongSetting(f"{name} is {value!r}: write a whole number from {least} to {most}.")
    return int(value)


def choice(
    name: str, default: str, *, among: tuple[str, ...], environ: Mapping[str, str] = os.environ
) -> str:
    """One of the words in `among`."""
    value = _raw(name, environ) or default
    if value not in among:
        raise WrongSetting(f"{name} is {value!r}: write {' or '.join(among)}.")
    return value


def words(
    name: str, default: tuple[str, ...] = (), *, environ: Mapping[str, str] = os.environ
) -> list[str]:
    """A list separated by commas."""
    value = _raw(name, environ)
    if value is None:
        return list(default)
    return [word.strip() for word in value.split(",") if word.strip()]


def networks(
    name: str, default: tuple[str, ...] = (), *, environ: Mapping[str, str] = os.environ
) -> list[addresses.Network]:
    """Networks (`10.0.0.0/8`), single addresses or the word `private`, separated by commas."""
    found = words(name, default, environ=environ)
    try:
        return addresses.networks(found)
    except ValueError as error:
        raise WrongSetting(f"{name}: {error}. Write 10.0.0.0/8, 192.168.1.5 or private.") from None


def origins(name: str, *, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Origins of web pages (`https://host[:port]`) in lower case, separated by commas, or `*`."""
    found = [word.lower().rstrip("/") for word in words(name, environ=environ)]
    for origin in found:
        scheme, _, host = origin.partition("://")
        if origin != "*" and not (scheme and host and urlsplit(origin).netloc == host):
            raise WrongSetting(f"{name} has {origin!r}: write https://app.example.com or *.")
    return found


def web_address(
    name: str, default: str, *, schemes: tuple[str, ...], environ: Mapping[str, str] = os.environ
) -> str:
    """`https://host[:port]`, without a path, query or closing slash."""
    value = _web_address(name, default, schemes, environ)
    if urlsplit(value).path:
        raise _wrong_address(name, value, schemes)
    return value


def web_address_with_path(
    name: str, default: str, *, schemes: tuple[str, ...], environ: Mapping[str, str] = os.environ
) -> str:
    """`https://host[:port][/path]`, without a query or closing slash; the path of plain words.

    The host is as browsers send it: in lower case, and other letters than ASCII as IDNA.
    """
    value = _web_address(name, default, schemes, environ)
    url = urlsplit(value)
    if not _PATH.fullmatch(url.path):
        raise _wrong_address(name, value, schemes)
    try:
        return url._replace(netloc=url.netloc.lower().encode("idna").decode()).geturl()
    except UnicodeError:
        raise _wrong_address(name, value, schemes) from None


def host_of(address: str) -> str:
    """The host of a web address as `ALLOWED_HOSTS` has it: brackets around IPv6, no closing dot."""
    host = (urlsplit(address).hostname or "").rstrip(".")
    return f"[{host}]" if ":" in host else host


def _web_address(
    name: str, default: str, schemes: tuple[str, ...], environ: Mapping[str, str]
) -> str:
    value = (_raw(name, environ) or default).rstrip("/")
    try:
        url = urlsplit(value)
        usable = url.hostname and url.port != 0 and not re.search(r"[\s@]", url.netloc)
    except ValueError:
        usable = False
    if not usable or url.scheme not in schemes or value != f"{url.scheme}://{url.netloc}{url.path}":
        raise _wrong_address(name, value, schemes)
    return value


def _wrong_address(name: str, value: str, schemes: tuple[str, ...]) -> WrongSetting:
    example = f"{schemes[0]}://butler.example.com"
    if "@" in value:
        return WrongSetting(f"{name} cannot have a user name or password: write {example}.")
    return WrongSetting(f"{name} is {value!r}: write an address such as {example}.")


def secret(
    name: str, *, file: Path | None, least: int, environ: Mapping[str, str] = os.environ
) -> str:
    """A random text of `least` or more characters.

    Unset, it is what rests in `file`, made on first use and readable by its owner only; with
    `file=None` it must be set.
    """
    value = _raw(name, environ)
    if value is None and file is not None:
        return _secret_or_refusal(file)
    example = f'python3 -c "import secrets; print(secrets.token_urlsafe({least}))"'
    if value is None:
        raise WrongSetting(f"{name} is not set: write the output of `{example}`.")
    if len(value) < least or len(set(value)) < 10:
        raise WrongSetting(f"{name} is too short or too plain: write the output of `{example}`.")
    return value


def _secret_or_refusal(file: Path) -> str:
    try:
        return _secret_of_file(file)
    except OSError as error:
        raise WrongSetting(
            f"{file} cannot be made or read ({os.strerror(error.errno or 0)}): give this user the "
            "right to, or set BUTLER_VAR_DIR to another folder."
        ) from None


def _secret_of_file(file: Path) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        # Written aside and linked: a second process reads the first one's secret, never half of it.
        aside = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
        aside.touch(mode=0o600)
        aside.write_text(secrets.token_urlsafe(50) + "\n", encoding="ascii")
        with suppress(FileExistsError):
            os.link(aside, file)
        aside.unlink()
    return file.read_text(encoding="ascii").strip()


def postgres_url(
    name: str, *, environ: Mapping[str, str] = os.environ
) -> dict[str, str | dict[str, str]] | None:
    """Django's connection settings from `postgres://user:password@host:port/name?option=…`."""
    value = _raw(name, environ)
    if value is None:
        return None
    try:
        url = urlsplit(value)
        port = str(url.port or "")
    except ValueError:
        raise _wrong_database(name) from None
    database = unquote(url.path.strip("/"))
    if url.scheme not in {"postgres", "postgresql"} or not database or "/" in database:
        raise _wrong_database(name)
    options = dict(parse_qsl(url.query))
    return {
        "HOST": options.pop("host", unquote(url.hostname or "")),
        "PORT": port,
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "NAME": database,
        "OPTIONS": options,
    }


def _wrong_database(name: str) -> WrongSetting:
    return WrongSetting(f"{name} is not usable: write postgres://user:password@host:5432/name.")
