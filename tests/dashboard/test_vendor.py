"""Files of others: as their README says, and without what stops `collectstatic`."""

import base64
import hashlib
import re
import shutil
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

VENDOR = Path(settings.BASE_DIR, "dashboard/static/vendor")
README = (VENDOR / "README").read_text()


def test_each_file_has_the_sum_that_the_readme_states():
    sums = dict(re.findall(r"^(\S+\.(?:js|woff2|svg))\n  sha512-(\S+)$", README, re.MULTILINE))
    assert sums.keys() == {path.name for path in VENDOR.iterdir() if path.suffix}
    for name, stated in sums.items():
        found = hashlib.sha512((VENDOR / name).read_bytes()).digest()
        assert base64.b64encode(found).decode() == stated, name


def test_every_icon_that_a_template_names_is_there():
    icons = set(re.findall(r'symbol id="([\w-]+)"', (VENDOR / "icons.svg").read_text()))
    templates = Path(settings.BASE_DIR, "templates").rglob("*.html")
    named = {
        name
        for path in templates
        for name in re.findall(r'{% icon "([\w-]+)" %}', path.read_text())
    }
    from_code = Path(settings.BASE_DIR, "dashboard/rail.py").read_text()
    named |= set(re.findall(r'Entry\("[^"]+", "([\w-]+)"', from_code))
    assert named
    assert named <= icons


def test_production_names_all_files_by_their_content(tmp_path):
    shutil.copytree(VENDOR.parent, tmp_path, dirs_exist_ok=True)
    storage = ManifestStaticFilesStorage(location=tmp_path, base_url="/static/")
    names = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*") if path.is_file()]
    processed = list(storage.post_process({name: (storage, name) for name in names}))
    assert not [error for _, _, error in processed if isinstance(error, Exception)]
    style = storage.stored_name("dashboard/css/tokens.css")
    assert re.search(r"inter-latin\.\w{12}\.woff2", (tmp_path / style).read_text())
