"""What an export writes, read back as both documents."""

from pathlib import Path
from tempfile import TemporaryDirectory

from interchange.state_files import export, files


def exported_documents(*, now):
    """`token-manager-state.json` and `api-keys.json` within the test's own transaction."""
    with TemporaryDirectory() as folder:
        paths = export.write(Path(folder), now=now, progress=lambda _: None)
        assert sorted(path.name for path in Path(folder).iterdir()) == sorted(
            path.name for path in paths
        )
        return [files.read(path) for path in paths]
