"""A fresh database of the benchmark's own, thrown away at the end."""

import atexit
import gc
import os
import shutil
import tempfile

import django


def database() -> None:
    """Start the database and set up Django with it; models can be imported afterwards."""
    folder = tempfile.mkdtemp(prefix="butler-bench-")
    os.environ["BUTLER_VAR_DIR"] = folder
    os.environ["DJANGO_SETTINGS_MODULE"] = "butler_site.settings"
    # Registered before the embedded server's own, so that it runs after the server has stopped.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    django.setup()
    # As the web server does, see butler_site.asgi.
    gc.freeze()
