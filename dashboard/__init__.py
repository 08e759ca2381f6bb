"""Pages for finance staff, under /.

It has no tables: a page shows the results of other apps' queries.
"""
