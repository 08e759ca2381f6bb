"""WSGI entry point: `gunicorn butler_site.wsgi`."""

import gc
import os
import sys

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "butler_site.settings")
application = get_wsgi_application()
# What was imported stays: the collector need not look through it again, which halves the time of
# a choice among 10,000 keys, and forked workers go on sharing its memory.
gc.freeze()
# A request asks the database some eight times; each time it comes back it would wait up to 5 ms
# (Python's default) for another thread that computes.
sys.setswitchinterval(0.0005)
