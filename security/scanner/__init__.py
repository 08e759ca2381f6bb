"""Find secrets in files, staged changes and histories, before they are published.

Verbs: `engine.scan_text`, `python -m security.scanner`. It needs Python 3.11 and nothing else: no
Django, no database, and few modules of the standard library, as a hook starts with each commit.
Invariant: no report and no error has a secret in clear.
"""
