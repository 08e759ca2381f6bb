"""The pages of users and of the admin itself, for the table of links."""

from common import links
from common.links import Page

links.register(
    {
        "admin": Page("admin:index"),
        "sign_out": Page("admin:logout"),
        "sign_in": Page("account_login"),
        "own_password": Page("admin:password_change"),
        "second_factor": Page("mfa_index"),
        "sessions": Page("usersessions_list"),
        # Those that people look at are pages of the dashboard.
        "managed_user": Page("admin:auth_user_change"),
        "users": Page("admin:auth_user_changelist"),
        "group": Page("admin:auth_group_change"),
        "groups": Page("admin:auth_group_changelist"),
    }
)
