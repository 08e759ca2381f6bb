"""Placeholders of a command's configuration, like `{model}`, and what fills them."""

import re
from collections.abc import Mapping

# What each may stand for. Those of secrets only stand in the environment: arguments are seen by
# everybody on the machine.
IN_ARGUMENTS = frozenset(
    {
        "prompt",
        "prompt_file",
        "model",
        "workdir",
        "label",
        "thinking",
        "session_id",
        "gateway_url",
        "gateway_root",
    }
)
IN_ENVIRONMENT = frozenset({"gateway_url", "gateway_root", "token", "model", "workdir"})
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_END_OF_OPTIONS = "--"


class ReadAsAnOption(ValueError):
    """A value would be taken for an option of the program."""


def names_in(template: str) -> set[str]:
    """The placeholders of a template."""
    return set(_PLACEHOLDER.findall(template))


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its values; what a value contains is not filled again."""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template)


def fill_argv(argv: list[str], values: Mapping[str, str]) -> list[str]:
    """The arguments, as many as there are templates. Error: ReadAsAnOption."""
    arguments: list[str] = []
    for template in argv:
        argument = filled(template, values)
        if is_open(template) and argument.startswith("-") and _END_OF_OPTIONS not in arguments:
            raise ReadAsAnOption(f"{template} begins with a dash")
        arguments.append(argument)
    return arguments


def is_open(template: str) -> bool:
    """Whether an argument begins with a value, which may then begin with a dash."""
    return _PLACEHOLDER.match(template) is not None
