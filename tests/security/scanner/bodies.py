"""Secrets made at random from the expression of a rule, and texts to write them into."""

import base64
import random
import re
import re._parser as parser  # of the standard library; it has no public one
import string
import zlib

from security.scanner import checks
from security.scanner.rules import Rule

_ALPHANUMERIC = string.ascii_letters + string.digits
_CATEGORIES = {
    parser.CATEGORY_DIGIT: string.digits,
    parser.CATEGORY_WORD: _ALPHANUMERIC + "_",
    parser.CATEGORY_SPACE: " ",
}


def body(rule: Rule, seed: int = 0) -> str:
    """What the rule looks for, made from its own expression: the whole of it, group and context."""
    source = random.Random(f"{rule.id}-{seed}")  # noqa: S311
    if rule.id == "jwt":
        return _jwt(source)
    made = _sequence(parser.parse(rule.expression), source)
    if rule.check == "crc32_tail":
        prefix = "github_pat_" if made.startswith("github_pat_") else made[: made.index("_") + 1]
        inner = made[len(prefix) : -6]
        return prefix + inner + checks.base62(zlib.crc32(inner.encode()))
    if rule.id == "private-key":
        return private_key(source)
    return made


def private_key(source: random.Random, newline: str = "\n") -> str:
    """A PEM of random bytes."""
    encoded = base64.b64encode(source.randbytes(300)).decode()
    lines = [encoded[at : at + 64] for at in range(0, len(encoded), 64)]
    return newline.join(
        ["-----BEGIN RSA PRIVATE " + "KEY-----", *lines, "-----END RSA PRIVATE " + "KEY-----"]
    )


def random_text(source: random.Random, length: int, alphabet: str = _ALPHANUMERIC) -> str:
    """Random characters."""
    return "".join(source.choices(alphabet, k=length))


def _jwt(source: random.Random) -> str:
    parts = (b'{"alg":"HS256","typ":"JWT"}', b'{"sub":"%d"}' % source.getrandbits(64))
    head, payload = (base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    return f"{head}.{payload}.{random_text(source, 43)}"


def _sequence(parsed, source: random.Random) -> str:
    return "".join(_piece(operation, argument, source) for operation, argument in parsed)


def _piece(operation, argument, source: random.Random) -> str:
    if operation is parser.LITERAL:
        return chr(argument)
    if operation is parser.IN:
        return source.choice(_members(argument))
    if operation is parser.MAX_REPEAT:
        low, high, inner = argument
        times = source.randint(low, min(high, low + 40))
        return "".join(_sequence(inner, source) for _ in range(times))
    if operation is parser.SUBPATTERN:
        return _sequence(argument[-1], source)
    if operation is parser.BRANCH:
        return _sequence(source.choice(argument[1]), source)
    if operation is parser.ASSERT:
        return _sequence(argument[1], source)
    if operation is parser.ASSERT_NOT:
        return ""
    raise NotImplementedError(operation)


def _members(items) -> str:
    if items[0][0] is parser.NEGATE:
        return _ALPHANUMERIC
    members = ""
    for operation, argument in items:
        if operation is parser.LITERAL:
            members += chr(argument)
        elif operation is parser.RANGE:
            members += "".join(map(chr, range(argument[0], argument[1] + 1)))
        else:
            members += _CATEGORIES[argument]
    return members


def repetitions(expression: str) -> list[int]:
    """How often each repetition of an expression, and those in it together, may repeat."""
    return _repetitions(parser.parse(expression))


def _repetitions(parsed) -> list[int]:
    found = []
    for operation, argument in parsed:
        if operation is parser.MAX_REPEAT:
            inner = _repetitions(argument[2])
            found.append(int(argument[1]) * max(inner, default=1))
        elif operation is parser.SUBPATTERN:
            found += _repetitions(argument[-1])
        elif operation is parser.BRANCH:
            found += [times for branch in argument[1] for times in _repetitions(branch)]
    return found


def lines_with(secret: str, rule: Rule) -> dict[str, str]:
    """A text for each kind of file, by the file's name, with the secret in line 3 of each."""
    name = f"{rule.words[0]}_api_key" if rule.words else "value"
    name = re.sub(r"\W", "_", name)
    quoted = {
        "settings.py": 'import os\n\n{name} = "{secret}"\n',
        "call.py": "import os\n\nconnect(host, {name}='{secret}')  # comment\n",
        "list.js": "const a = 1;\n\nlet {name} = ['{secret}', 'other'];\n",
        "config.json": '{{\n  "a": 1,\n  "{name}": "{secret}",\n  "b": 2\n}}\n',
        "config.toml": '[a]\nb = 1\n{name} = "{secret}"\n',
        "book.ipynb": '{{"cells": [{{\n"source": [\n"{name} = \\"{secret}\\"\\n",\n""]}}]}}\n',
        "deploy.yaml": "a:\n  b: 1\n  {name}: {secret}\n  c: 2\n",
        ".env.example": "A=1\nB=2\n{name}={secret}\nC=3\n",
        "setup.ini": "[a]\nb = 1\n{name} = {secret}\n",
        "run.log": "start\nstart\n2026-01-02 INFO sent {name}: {secret}, then more\n",
        "README.md": "# Title\n\nSet {name} to `{name}={secret}` and run.\n",
        "page.xml": "<a>\n<b/>\n<c {name}='{secret}'/>\n",
    }
    return {file: text.format(name=name, secret=secret) for file, text in quoted.items()}
