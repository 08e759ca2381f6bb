"""REST API for agents ("Butler main API"), under /api/v1/.

Owns no rows: every view translates in, makes one call, translates out.
"""
