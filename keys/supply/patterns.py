"""Patterns of names, as `*` and `?` of a shell: of models that keys serve, and of aliases."""

_CHARACTERS = frozenset("*?[")


def is_pattern(text: str) -> bool:
    """Whether a text is a pattern, which may match several names."""
    return not _CHARACTERS.isdisjoint(text)
