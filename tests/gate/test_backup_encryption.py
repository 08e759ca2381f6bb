"""The encrypted file of a backup: what was changed, cut off or reordered is not read."""

import io

import pytest

from gate.backup.encryption import decrypt, encrypt
from gate.refusals import BackupUnreadable

PASSPHRASE = b"a passphrase of tests"
HEADER, CHUNK = 32, 64 * 1024 + 16


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("gate.backup.encryption._SCRYPT", {"length": 32, "n": 2, "r": 8, "p": 1})


def sealed(content, *, part=100_000):
    target = io.BytesIO()
    parts = (content[at : at + part] for at in range(0, len(content), part))
    encrypt(parts, target, passphrase=PASSPHRASE)
    return target.getvalue()


def opened(file, passphrase=PASSPHRASE):
    return b"".join(decrypt(io.BytesIO(file), passphrase=passphrase))


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 131_072, 300_000])
@pytest.mark.parametrize("part", [1_000, 65_536, 1_000_000])
def test_what_was_encrypted_is_decrypted(size, part):
    content = bytes(number % 251 for number in range(size))
    file = sealed(content, part=part)
    assert opened(file) == content
    assert b"\x00\x01\x02\x03\x04\x05\x06\x07" not in file


def test_two_files_of_the_same_content_have_nothing_in_common():
    assert sealed(b"x" * 100)[HEADER:] != sealed(b"x" * 100)[HEADER:]


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file[:-1],
        lambda file: file[: HEADER + CHUNK],
        lambda file: file[: HEADER + 2 * CHUNK],
        lambda file: file[:HEADER],
        lambda file: file[:10],
        lambda file: file + b"x",
        lambda file: file[:HEADER] + file[HEADER + CHUNK :],
        lambda file: (
            file[:HEADER]
            + file[HEADER + CHUNK : HEADER + 2 * CHUNK]
            + file[HEADER : HEADER + CHUNK]
            + file[HEADER + 2 * CHUNK :]
        ),
        lambda file: file[:20] + bytes([file[20] ^ 1]) + file[21:],
        lambda file: file[:70_000] + bytes([file[70_000] ^ 1]) + file[70_001:],
    ],
)
def test_what_was_changed_is_refused(damage):
    file = sealed(bytes(200_000))
    with pytest.raises(BackupUnreadable):
        opened(damage(file))


def test_another_passphrase_opens_nothing():
    with pytest.raises(BackupUnreadable):
        opened(sealed(b"secret"), passphrase=b"another passphrase")
