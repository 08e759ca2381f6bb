"""The test suite: mirrors the apps; flows from end to end are in `tests/flows`."""
