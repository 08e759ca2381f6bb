"""The pages of reconciliation: runs, and the worklist of differences."""
