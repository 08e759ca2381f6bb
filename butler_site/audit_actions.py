"""What `butler_site` records in the audit."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on the users of the pages and on their groups."""

    USER_ADD = "user.add"
    USER_CHANGE = "user.change"
    USER_CHANGE_PASSWORD = "user.change_password"  # noqa: S105 - a name
    USER_DELETE = "user.delete"
    SECOND_FACTOR_ADD = "second_factor.add"
    SECOND_FACTOR_REMOVE = "second_factor.remove"
    GROUP_ADD = "group.add"
    GROUP_CHANGE = "group.change"
    GROUP_DELETE = "group.delete"
