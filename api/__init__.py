"""REST API for agents ("Butler main API"), under /api/v1/.

Every view translates in, makes one call, translates out. Owns one table, the request counts of the
throttle, which is lost in a crash without harm.
"""
