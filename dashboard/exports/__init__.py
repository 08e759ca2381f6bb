"""Every table of a page as a file: all its rows in its order, with exact figures.

A page gets both formats by one line, `@exported("spend")`, where the table "spend" is registered.
"""

from dashboard.exports.build import check_access
from dashboard.exports.job import make
from dashboard.exports.requests import JOB, exported

__all__ = ["JOB", "check_access", "exported", "make"]
