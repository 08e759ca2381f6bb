"""What the admin pages of every app are built from.

`lists`: a list that stays quick when it is long. `read_only`: rows that only services write.
`service_forms`: forms whose input goes to services. `dialogs`: actions that ask first.
`visible_rows`: the rows that a person may see. `widgets`: links, badges, moments and bars.
"""
