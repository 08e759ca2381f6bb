"""Each rule finds what it is for, in all kinds of files, and nothing that only resembles it."""

import pytest

from security.scanner import build_rules, checks
from security.scanner.engine import scan_text
from security.scanner.rules import BY_ID, RULES
from tests.security.scanner.bodies import body, lines_with, repetitions
from tests.security.scanner.hostile import assert_linear

EACH_RULE = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
FORMED = [rule for rule in RULES if not rule.words and rule.check != "pem" and rule.entropy]
# A URL is a whole; the alphabet of its password is open.
EXACT = [
    rule
    for rule in FORMED
    if rule.alphabet and "=" not in rule.expression and not rule.expression.endswith(")?")
]


def rules_found(text, path="notes.txt"):
    return [finding.rule for finding in scan_text(text, path)]


def test_the_module_is_made_from_the_toml():
    assert build_rules.TARGET.read_text() == build_rules.rule_module()


def test_there_are_more_than_sixty_kinds_and_each_has_a_name_of_its_own():
    assert len(BY_ID) == len(RULES) > 60


@EACH_RULE
def test_a_secret_is_found_in_each_kind_of_file(rule):
    secret = body(rule)
    missed = {
        path: rules_found(text, path)
        for path, text in lines_with(secret, rule).items()
        if not any(finding.line == 3 for finding in scan_text(text, path)) and "\n" not in secret
    }
    assert not missed, secret


@EACH_RULE
@pytest.mark.parametrize("seed", range(3))
def test_a_secret_is_named_by_its_rule(rule, seed):
    secret = body(rule, seed)
    name = f"{rule.words[0]}_api_key" if rule.words else "value"
    assert rules_found(f'x\n{name} = "{secret}"\n') == [rule.id], secret


@pytest.mark.parametrize("rule", FORMED, ids=lambda rule: rule.id)
def test_a_secret_ends_where_its_alphabet_ends(rule):
    secret = body(rule)
    surroundings = [
        *(
            "|",
            '"|",',
            "(|)",
            "[|]",
            "{|}",
            "<|>",
            "x=|&y=1",
            '\\"|\\"',
            "x:|;",
            "`|`",
            "\\n|\\n",
            "\t|#",
        ),
    ]
    for surrounding in surroundings:
        assert rules_found(surrounding.replace("|", secret)) == [rule.id], surrounding


@pytest.mark.parametrize("rule", EXACT, ids=lambda rule: rule.id)
def test_a_text_that_goes_on_is_no_secret(rule):
    grown = body(rule) + "A" * 9_000
    assert rules_found(grown) == []


@pytest.mark.parametrize("rule", FORMED, ids=lambda rule: rule.id)
def test_a_beginning_is_no_secret(rule):
    beginning = max([*rule.prefixes, *rule.markers], key=len)
    assert rules_found(f'name = "{beginning}"\nname = "{beginning}abc"\n') == []


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.words], ids=lambda rule: rule.id)
def test_a_value_without_the_name_of_its_provider_is_no_secret(rule):
    secret = body(rule)
    assert rules_found(f"data: {secret}\nsha256 of {rule.words[0]} is {secret}\n") == []


@EACH_RULE
@pytest.mark.parametrize("repeated", ["beginning", "assigned", "class"])
def test_a_hostile_text_takes_work_in_proportion_to_its_length(rule, repeated):
    """Each match has a bounded number of steps, and twice the text has twice the matches."""
    assert all(times <= 14_000 for times in repetitions(rule.expression))
    beginning = max([*rule.prefixes, *rule.markers, *rule.words], key=len)
    filling = body(rule).replace("\n", "")[-1] if rule.entropy else "A"
    piece = {"beginning": beginning, "assigned": f'{beginning}_key="', "class": filling * 50}
    assert_linear(piece[repeated], head=beginning)


@pytest.mark.parametrize("rule_id", ["github-token", "github-fine-grained-token", "npm-token"])
def test_check_digits_make_certain_and_wrong_ones_lower_the_level(rule_id):
    secret = body(BY_ID[rule_id])
    (right,) = scan_text(secret, "notes.txt")
    (wrong,) = scan_text(secret[:-1] + ("a" if secret[-1] != "a" else "b"), "notes.txt")
    assert (right.certain, right.level) == (True, "error")
    assert (wrong.certain, wrong.level) == (False, "warning")


def test_check_digits_are_those_of_a_published_dummy():
    dummy = "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"  # butler:allow npm-token a published dummy
    assert checks.crc32_tail(dummy, dummy, len(dummy)) == checks.CERTAIN
