"""Those who act in tests."""

from security.actor import Actor

ACTOR = Actor.person("test")
GRACE = Actor.person("grace")
OLGA = Actor.person("olga")
ADA = Actor.person("ada")
CAROL = Actor.person("carol")
GATEWAY = Actor.job("gateway")
