"""The pages: each renders the results of other apps' queries as HTML."""
