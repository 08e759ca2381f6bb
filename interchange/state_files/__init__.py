"""The JSON files of the seed, `token-manager-state.json` and `api-keys.json`: their format.

`files` reads and writes them, `form` says what is wrong where, `merge` keeps what Butler does not
know, `placing` finds the moments at which imported usage is booked. docs/decisions/0004 says why;
`services.importing` and `queries.exporting` are the ways in and out.
"""
