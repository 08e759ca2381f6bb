"""What `pip install .` calls: a wheel with the scanner and its command `gate`, and nothing else.

It needs no other package to build or to run, so it installs without a network. Butler itself runs
from a checkout.
"""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGE = Path("security/scanner")
_LEFT_OUT = ("build_rules.py", "wheel.py")


def build_wheel(
    wheel_directory: str, config_settings: object = None, metadata_directory: str | None = None
) -> str:
    """Write the wheel and return its name (PEP 517)."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    release = f"{project['name']}-{project['version']}"
    name = f"{release}-py3-none-any.whl"
    texts = {
        **{path.relative_to(_ROOT).as_posix(): path.read_text() for path in _modules()},
        **{f"{release}.dist-info/{file}": text for file, text in _metadata(project).items()},
    }
    record = f"{release}.dist-info/RECORD"
    texts[record] = "".join(f"{path},,\n" for path in [*texts, record])
    with zipfile.ZipFile(Path(wheel_directory) / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, text in texts.items():
            wheel.writestr(path, text)
    return name


def build_sdist(sdist_directory: str, config_settings: object = None) -> str:
    """Refuse: a release is a commit (PEP 517)."""
    raise NotImplementedError("Install from a checkout or from Git.")


def _modules() -> list[Path]:
    return [path for path in sorted((_ROOT / _PACKAGE).glob("*.py")) if path.name not in _LEFT_OUT]


def _metadata(project: dict[str, Any]) -> dict[str, str]:
    scripts = "".join(f"{name} = {target}\n" for name, target in project["scripts"].items())
    return {
        "METADATA": (
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
            f"Summary: {project['description']}\nRequires-Python: {project['requires-python']}\n"
        ),
        "WHEEL": (
            "Wheel-Version: 1.0\nGenerator: butler\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
        "entry_points.txt": f"[console_scripts]\n{scripts}",
    }
