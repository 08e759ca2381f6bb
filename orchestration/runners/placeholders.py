"""Placeholders in a command's configuration, such as `{model}`, and how values replace them."""

import re
from collections.abc import Mapping

# The allowed placeholders. Secrets are only allowed in the environment, because every user of the
# machine can read the arguments of a process.
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
    """The program would read a value as an option."""


def names_in(template: str) -> set[str]:
    """The names of the placeholders in a template."""
    return set(_PLACEHOLDER.findall(template))


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its values; placeholders inside a value are not replaced."""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template)


def fill_argv(argv: list[str], values: Mapping[str, str]) -> list[str]:
    """The arguments: exactly one for each template. Error: ReadAsAnOption."""
    arguments: list[str] = []
    for template in argv:
        argument = fill(template, values)
        if is_open(template) and argument.startswith("-") and _END_OF_OPTIONS not in arguments:
            raise ReadAsAnOption(f"{template} begins with a dash")
        arguments.append(argument)
    return arguments


def is_open(template: str) -> bool:
    """Whether an argument begins with a placeholder, so that its value may begin with a dash."""
    return _PLACEHOLDER.match(template) is not None
