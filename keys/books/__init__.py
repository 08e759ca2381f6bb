"""The books: allocations and charges, and the services that commit, hold, settle and rotate."""
