"""Who does something, as a value."""

import dataclasses

import pytest

from security.actor import Actor, ActorKind


@pytest.mark.parametrize(
    ("actor", "kind", "name", "display"),
    [
        (Actor.person("grace"), "person", "grace", "grace"),
        (Actor.agent("ada"), "agent", "ada", "agent:ada"),
        (Actor.job("sweep"), "job", "sweep", "sweep"),
        (Actor.command_line(), "command_line", "command line", "command line"),
    ],
)
def test_an_actor_has_a_kind_a_bare_name_and_a_name_for_pages(actor, kind, name, display):
    assert (actor.kind, actor.name, str(actor)) == (kind, name, display)
    assert (actor.address, actor.request_id) == ("", "")


def test_people_and_agents_come_from_an_address_under_a_request_id():
    for make in (Actor.person, Actor.agent):
        actor = make("ada", address="192.0.2.7", request_id="req-1")
        assert (actor.address, actor.request_id) == ("192.0.2.7", "req-1")


def test_an_actor_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Actor.person("grace").kind = ActorKind.JOB
