"""Checkpoints kept outside, exports, and the script that verifies them without Butler."""

import stat
import subprocess
import sys
from base64 import b64decode
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from security import audit
from security.audit_actions import Action
from security.audit_chain import checkpoint_file
from security.audit_chain.checkpoint import Malformed, parse
from security.audit_chain.checkpoint_file import ChainTruncated
from security.models import ChainKey, Seal
from tests.actors import ACTOR
from tests.moments import NOON
from tests.security.audit_chain import tampering
from tests.security.audit_chain.conftest import seal_all

pytestmark = pytest.mark.django_db

SCRIPT = Path(__file__).resolve().parents[3] / "docs" / "verify_audit_export.py"


@pytest.fixture(autouse=True)
def kept(tmp_path, settings):
    """The file of checkpoints outside."""
    settings.AUDIT_CHECKPOINTS = tmp_path / "kept" / "checkpoints"
    return settings.AUDIT_CHECKPOINTS


def audit_command(*arguments):
    """What `manage.py audit` writes."""
    output = StringIO()
    call_command("audit", *arguments, stdout=output, stderr=StringIO())
    return output.getvalue()


def refused(*arguments):
    """The sentence that `manage.py audit` ends with."""
    with pytest.raises(CommandError) as refusal:
        audit_command(*arguments)
    return str(refusal.value)


def write_and_seal():
    """One more audit entry, sealed."""
    audit.record(actor=ACTOR, action=Action.VAULT_REKEY, subject="vault:keys", at=NOON)
    seal_all()


def cut_last_seal():
    """Remove what was sealed last, so that nothing in the database says that it was there."""
    tampering.execute("SET LOCAL session_replication_role = replica")
    last = Seal.objects.first()
    tampering.execute("DELETE FROM security_auditentry WHERE id = ANY (%s)", last.rows)
    tampering.execute("DELETE FROM security_seal WHERE number = %s", last.number)
    tampering.execute("DELETE FROM security_chaintip")
    tampering.execute("SET LOCAL session_replication_role = origin")


def test_a_checkpoint_has_the_form_that_other_tools_read(chain):
    origin, size, root, _, blank, signature, end = audit_command("checkpoint").split("\n")
    assert origin.startswith("127.0.0.1:8000/audit/")
    assert int(size) == Seal.objects.first().size
    assert (len(root), blank, end) == (44, "", "")
    assert signature.startswith(f"\N{EM DASH} {origin} ")
    name, key_id, public = audit_command("key").strip().split("+", 2)
    assert (name, key_id) == (origin, ChainKey.objects.get().key_id)
    assert b64decode(public) == b"\x01" + bytes(ChainKey.objects.get().public_key)


def test_checkpoints_are_appended_once_and_verified(chain, kept):
    assert [checkpoint_file.append(kept) for _ in range(2)] == [True, False]
    write_and_seal()
    assert checkpoint_file.append(kept)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    first, second = checkpoint_file.read(kept)
    assert first.checkpoint.size + 1 == second.checkpoint.size
    assert "and 2 checkpoints. 0 rows wait" in audit_command("verify")


def test_a_chain_that_was_cut_behind_a_checkpoint_is_found(chain, kept, tmp_path):
    write_and_seal()
    checkpoint_file.append(kept)
    cut_last_seal()
    assert "The chain was truncated: it has " in refused("verify")
    assert "The chain was truncated" in refused("verify", "--anchors", str(kept))
    kept.rename(tmp_path / "elsewhere")
    assert "Nothing was changed" in audit_command("verify")
    assert "The chain was truncated" in refused("verify", "--anchors", str(tmp_path / "elsewhere"))
    with pytest.raises(ChainTruncated):
        checkpoint_file.append(tmp_path / "elsewhere")


def test_a_chain_that_was_written_again_is_found(chain, kept):
    write_and_seal()
    checkpoint_file.append(kept)
    cut_last_seal()
    write_and_seal()
    assert "the chain was written again" in refused("verify")
    tampering.execute("SET LOCAL session_replication_role = replica")
    tampering.execute("DELETE FROM security_chaintip")
    tampering.execute("DELETE FROM security_seal")
    tampering.execute("DELETE FROM security_chainkey")
    assert "the chain was replaced" in refused("verify")


def test_a_forged_checkpoint_is_found(chain, kept):
    checkpoint_file.append(kept)
    text = kept.read_text(encoding="utf-8")
    kept.write_text(text.replace("T", "t", 1), encoding="utf-8")
    assert "has a broken signature" in refused("verify")
    kept.write_text("what is this?\n", encoding="utf-8")
    assert refused("verify") == "There is no checkpoint in line 1."
    with pytest.raises(Malformed, match="line 8"):
        list(parse(f"{text}nonsense\n"))


def test_without_a_seal_there_is_no_checkpoint_and_nothing_is_wrong(db, kept):
    assert refused("checkpoint") == "Nothing is sealed yet."
    assert not checkpoint_file.append(kept)
    assert "Verified 0 rows in 0 seals" in audit_command("verify")
    assert audit_command("export") == ""
    assert refused("verify", "--anchors", "missing") == "There is no file missing."


def test_verify_names_what_was_changed(chain):
    tampering.execute("SET LOCAL session_replication_role = replica")
    charge = Seal.objects.filter(source="charge").last().rows[0]
    tampering.execute("UPDATE keys_charge SET tokens = tokens + 1 WHERE id = %s", charge)
    assert refused("verify") == (
        "The audit chain is damaged: 1 finding. The first is: "
        f"charge {charge} was changed after it was sealed."
    )
    assert refused("export") == (
        f"charge {charge} is not as it was sealed. Run `manage.py audit verify`."
    )


@pytest.fixture
def export(chain, kept, tmp_path):
    """An export, and how the script judges it after a change of its lines."""
    checkpoint_file.append(kept)
    lines = audit_command("export").splitlines(keepends=True)
    key = audit_command("key").strip()

    def judge(change=lambda lines: None, *, key=key, checkpoints=()):
        changed = list(lines)
        change(changed)
        file = tmp_path / "audit.jsonl"
        file.write_text("".join(changed), encoding="utf-8")
        command = [sys.executable, "-I", str(SCRIPT), str(file), key, *map(str, checkpoints)]
        judged = subprocess.run(command, capture_output=True, text=True, check=False)
        return judged.returncode, (judged.stdout + judged.stderr).strip()

    return judge


def test_an_export_is_verified_without_butler(export, kept):
    size = Seal.objects.first().size
    said = f"{size} rows are as they were sealed, 3 of them known by their hash only."
    assert export() == (0, said)
    assert export(checkpoints=[kept]) == (0, said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines.__setitem__(3, lines[3].replace("test", "tost")), "A row was changed"),
        (lambda lines: lines.insert(0, lines.pop(1)), "A row was changed"),
        (lambda lines: lines.pop(0), "The export has "),
        (lambda lines: lines.__setitem__(-5, "1\n"), "broken signature"),
    ],
    ids=["changed", "moved", "removed", "signed"],
)
def test_an_export_that_was_changed_is_found_without_butler(export, change, said):
    code, output = export(change)
    assert (code, said in output) == (1, True), output


def test_an_export_of_a_chain_that_was_cut_is_found_without_butler(export, kept):
    write_and_seal()
    checkpoint_file.append(kept)
    code, output = export(checkpoints=[kept])
    assert (code, "this chain was cut or rewritten" in output) == (1, True), output
