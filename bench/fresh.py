"""A database of the benchmark's own, thrown away at the end unless it has a folder to stay in."""

import atexit
import gc
import os
import shutil
import tempfile
from pathlib import Path

import django


def database(folder: Path | None = None) -> None:
    """Start the database and set up Django with it; models can be imported afterwards.

    Without a `folder`, the database is deleted at the end.
    """
    kept = folder and str(folder.resolve())
    os.environ["BUTLER_VAR_DIR"] = kept or tempfile.mkdtemp(prefix="butler-bench-")
    os.environ["DJANGO_SETTINGS_MODULE"] = "butler_site.settings"
    # Registered before the embedded server's own, so that it runs after the server has stopped.
    if not kept:
        atexit.register(shutil.rmtree, os.environ["BUTLER_VAR_DIR"], ignore_errors=True)
    django.setup()
    # As the web server does, see butler_site.asgi.
    gc.freeze()
