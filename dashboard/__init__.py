"""Pages for finance staff, under /.

Owns no rows: a page shows what the queries of other apps say.
"""
