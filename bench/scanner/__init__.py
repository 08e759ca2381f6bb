"""`python -m bench.scanner`: the secret scanner beside others, on a corpus made at run time."""
