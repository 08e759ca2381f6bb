"""What is sealed, in which order, and that the chain of an honest Butler verifies."""

from datetime import timedelta

import pytest
from django.db import models

from security import audit
from security.audit_actions import Action
from security.audit_chain import merkle, seal
from security.audit_chain.models import ChainTip, Seal, UnsealedRow
from security.audit_chain.seal import ChainDamaged
from security.audit_chain.sources import Source, all_sources, register
from security.audit_chain.verify import verify
from security.models import AuditEntry
from security.services import rekey_vault, seal_rows
from tests.actors import ACTOR
from tests.moments import NOON
from tests.security.audit_chain import tampering
from tests.security.audit_chain.conftest import ask_approval, decide, now, seal_all

pytestmark = pytest.mark.django_db


def record(**changes):
    """One audit entry."""
    values = {"actor": ACTOR, "action": Action.VAULT_REKEY, "subject": "vault:keys", "at": NOON}
    return audit.record(**values | changes)


def test_everything_that_was_written_is_sealed_and_verifies(chain):
    verification = verify(now=now())
    assert verification.findings == []
    assert verification.tail.rows == UnsealedRow.objects.count() == 0
    sources = Seal.objects.order_by("source").values_list("source", flat=True).distinct()
    assert list(sources) == sorted(all_sources())
    assert verification.rows == Seal.objects.first().size
    assert verification.seals == Seal.objects.count()


def test_what_waits_is_the_tail_and_no_finding_until_a_minute_has_passed(chain):
    entry = record()
    verification = verify(now=now())
    assert (verification.findings, verification.tail.rows) == ([], 1)
    [finding] = verify(now=now() + timedelta(minutes=2)).findings
    assert finding.startswith("1 row waits to be sealed, the oldest since ")
    seal_all()
    assert Seal.objects.first().rows == [entry.pk]
    assert seal_rows(now=NOON) == 0


def test_rows_that_wait_are_sealed_in_batches(monkeypatch, db):
    monkeypatch.setattr(seal, "BATCH", 2)
    entries = [record() for _ in range(5)]
    assert [seal_rows(now=NOON) for _ in range(4)] == [2, 2, 1, 0]
    sealed = [each.rows for each in Seal.objects.order_by("number")]
    assert sum(sealed, []) == [entry.pk for entry in entries]


def test_a_row_is_encoded_as_json_in_one_way(db):
    entry = record(before={"b": 1, "a": [1.5, None, "ß"]}, after={}, reason='"quoted"')
    source = all_sources()["audit_entry"]
    assert source.contents([entry.pk, 0]) == {
        entry.pk: (
            '{"audit_entry":{"action":"vault.rekey","actor_kind":"person","actor_name":"test",'
            '"after":{},"at":1773144000000000,"before":{"a":[1.5,null,"ß"],"b":1},'
            f'"id":{entry.pk},"reason":"\\"quoted\\"","subjects":["vault:keys"]}}}}'
        ).encode()
    }


def test_money_is_encoded_with_all_its_places(chain):
    charge = Seal.objects.filter(source="charge").last().rows[0]
    content = all_sources()["charge"].contents([charge])[charge]
    assert b'"cost":"0.000450000"' in content
    assert b"provider_cost" not in content


@pytest.mark.parametrize("source", all_sources().values(), ids=lambda source: source.slug)
def test_each_column_of_what_is_sealed_is_of_a_type_that_has_one_encoding(source):
    known = (
        *(models.TextField, models.CharField, models.IntegerField, models.BooleanField),
        *(models.DateTimeField, models.DecimalField, models.BinaryField, models.JSONField),
        *(models.DateField, models.UUIDField),
    )
    for column in source.columns:
        target = column.target_field if column.is_relation else column
        assert isinstance(target, known) or target.get_internal_type() == "ArrayField", column


def test_a_source_is_registered_once():
    with pytest.raises(ValueError, match="audit_entry"):
        register(Source(slug="audit_entry", model=AuditEntry))


def test_a_row_that_is_gone_before_it_is_sealed_is_reported(chain):
    entry = record()
    tampering.execute("SET LOCAL session_replication_role = replica")
    tampering.execute("DELETE FROM security_auditentry WHERE id = %s", entry.pk)
    seal_all()
    [finding] = verify(now=now()).findings
    assert finding == f"audit_entry {entry.pk} was deleted before it was sealed."


def test_a_row_that_is_queued_again_is_reported(chain):
    entry = AuditEntry.objects.last()
    UnsealedRow.objects.create(source="audit_entry", row_id=entry.pk)
    seal_all()
    [finding] = verify(now=now()).findings
    assert finding == f"audit_entry {entry.pk} was sealed 2 times: it was queued again."


def test_an_estimate_that_is_changed_without_a_settlement_is_reported(chain):
    [estimate] = [
        pk for each in Seal.objects.filter(source="charge_estimate") for pk in each.rows[-1:]
    ]
    # The books allow it: it can still be corrected. The chain does not.
    tampering.execute("UPDATE keys_charge SET model = 'x' WHERE id = %s", estimate)
    seal_all()
    findings = verify(now=now()).findings
    assert f"charge_estimate {estimate} was changed after it was sealed." in findings


def test_an_approval_is_sealed_when_it_is_asked_for_and_when_it_is_decided(db):
    approval = ask_approval()
    seal_all()
    decide(approval)
    assert verify(now=now()).findings == []
    seal_all()
    assert verify(now=now()).findings == []
    sealed = Seal.objects.filter(rows=[approval.pk]).order_by("number")
    assert [each.source for each in sealed] == ["approval_request", "approval"]
    tampering.execute("SET LOCAL session_replication_role = replica")
    tampering.execute("UPDATE security_approval SET decided_by_name = 'bob'")
    assert f"approval {approval.pk} was changed after it was sealed." in (
        verify(now=now()).findings
    )


def test_the_tree_is_made_again_if_its_edge_is_lost_or_wrong(chain):
    tip = ChainTip.objects.get()
    for wrong in ({"size": 0, "peaks": b""}, {"peaks": tip.peaks[::-1]}):
        ChainTip.objects.update(**wrong)
        record()
        seal_all()
        assert verify(now=now()).findings == []


def test_nothing_is_signed_on_top_of_a_chain_that_was_changed(chain):
    record()
    tampering.execute("SET LOCAL session_replication_role = replica")
    tampering.execute("UPDATE security_seal SET root = leaves WHERE number = %s", last().number)
    with pytest.raises(ChainDamaged, match="do not add up"):
        seal_rows(now=NOON)
    tampering.execute("DELETE FROM security_seal")
    with pytest.raises(ChainDamaged, match="All seals are gone"):
        seal_rows(now=NOON)
    assert UnsealedRow.objects.count() == 1


def test_a_key_of_somebody_else_proves_nothing(chain):
    tampering.execute("UPDATE security_chainkey SET public_key = %s", b"\x01" * 32)
    [finding] = verify(now=now()).findings
    assert "The public half" in finding
    tampering.execute("UPDATE security_chainkey SET secret = %s", b"\x01" * 60)
    assert "is not proven" in verify(now=now()).findings[0]


def test_the_chain_goes_on_after_the_vault_was_rekeyed(chain):
    rekey_vault(actor=ACTOR, now=NOON)
    seal_all()
    assert verify(now=now()).findings == []


def test_the_tree_is_that_of_rfc_6962():
    """The vectors of certificate-transparency-go for its eight leaves."""
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    leaves.append("606162636465666768696a6b6c6d6e6f")
    roots = []
    tree = merkle.Tree()
    for leaf in leaves:
        tree.append(merkle.leaf_hash(bytes.fromhex(leaf)))
        roots.append(tree.root().hex())
        tree = merkle.Tree(tree.size, tree.peaks)
    assert roots == [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]
    assert merkle.Tree().root().hex().startswith("e3b0c442")


def last():
    """The last seal."""
    return Seal.objects.first()
