"""What open windows leave at a moment."""


def left(window: str, *, at: str) -> str:
    """SQL of what `window` (its alias) leaves at the moment `at`, without grants.

    A window whose period is over and that is not closed yet counts as reset: nothing is used in it
    and nothing was carried over. What will be carried over is known when the next one is opened, so
    nothing is refused for lack of it before that.
    """
    return (
        f"({window}.amount - {window}.committed"
        f" - CASE WHEN {window}.ends_at > {at} THEN {window}.used ELSE {window}.carried END)"
    )
