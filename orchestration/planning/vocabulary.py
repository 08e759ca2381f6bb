"""The words that the keyword planner knows, all in lower case."""

# In each line, a verb in its forms (base, third person, gerund, past), then nouns for the same work
# and their plurals. Words that are mostly nouns ("report", "code", "check") are left out, because
# they would divide sentences at places where no part begins.
_KEYWORDS = """
analyze analyzes analyzing analyzed analysis analyses
analyse analyses analysing analysed
assess assesses assessing assessed assessment
build builds building built
clean cleans cleaning cleaned
collect collects collecting collected collection
compare compares comparing compared comparison
compile compiles compiling compiled compilation
configure configures configuring configured configuration
convert converts converting converted conversion
create creates creating created creation
debug debugs debugging debugged
deploy deploys deploying deployed deployment
design designs designing designed design
develop develops developing developed development
document documents documenting documented documentation
draft drafts drafting drafted
edit edits editing edited
evaluate evaluates evaluating evaluated evaluation
extract extracts extracting extracted extraction
fix fixes fixing fixed
gather gathers gathering gathered
generate generates generating generated generation
identify identifies identifying identified identification
implement implements implementing implemented implementation
integrate integrates integrating integrated integration
investigate investigates investigating investigated investigation
optimize optimizes optimizing optimized optimization
optimise optimises optimising optimised optimisation
outline outlines outlining outlined
plan plans planning planned
prepare prepares preparing prepared preparation
present presents presenting presented presentation
proofread proofreads proofreading proofread
publish publishes publishing published publication
refactor refactors refactoring refactored
research researches researching researched research
review reviews reviewing reviewed review
summarize summarizes summarizing summarized summary
summarise summarises summarising summarised
synthesize synthesizes synthesizing synthesized synthesis
test tests testing tested test
transform transforms transforming transformed transformation
translate translates translating translated translation
validate validates validating validated validation
verify verifies verifying verified verification
visualize visualizes visualizing visualized visualization
write writes writing written
"""
_FORMS = (("base",), ("third",), ("gerund", "noun"), ("past",))


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


def _forms() -> dict[str, frozenset[str]]:
    forms: dict[str, frozenset[str]] = {}
    for line in _KEYWORDS.splitlines():
        for index, word in enumerate(line.split()):
            found = _FORMS[index] if index < len(_FORMS) else ("noun",)
            forms[word] = forms.get(word, frozenset()).union(found)
    return forms | {"wrote": frozenset({"past"})}


# Each keyword with its possible forms, to recognize a list: "researching …, analyzing …".
FORMS = _forms()

# Words between two parts: a new part begins after them.
ORDER_WORDS = _words(
    "then next finally lastly afterwards afterward subsequently thereafter first firstly second "
    "secondly third thirdly fourth last"
)
JOINING_WORDS = _words("and plus")
# Words before the keyword of a part that belong to it: "we need to analyze", "also carefully test".
OPENING_WORDS = _words(
    "please also just now i we you to need needs want wants have has must should "
    "shall will would can could let's let us me try go ahead start begin by again"
)

# After these words a keyword is a noun, or part of another verb's clause: no part begins.
ARTICLES = _words(
    "a an the this that these those my your our their its his her each every any some all no "
    "both either new first second third next last"
)
GOVERNING_WORDS = _words(
    "to for by of that which who can could may might must should will would shall in on with from "
    "between into about how after before during while without via through or than like as not "
    "helps help lets let"
)
# A keyword before one of these is the subject of a sentence ("Testing is hard").
AFTER_SUBJECTS = _words(
    "is are was were must should shall will would can could may might has have had does"
)
# A keyword before one of these is surely a verb ("review it").
AFTER_VERBS = _words(
    "the a an it them this that these those each every all both any some our your my its their "
    "his her whether how what which"
)
# A past form before one of these describes the noun before it ("written in German").
AFTER_PARTICIPLES = _words("by in with from for on at as of to using under over")
# A keyword before one of these is part of a compound noun ("test cases").
NAMES_OF_THINGS = {
    "test": _words(
        "case cases plan plans suite suites coverage score scores result results environment "
        "environments harness bench"
    ),
    "design": _words("doc docs document documents pattern patterns spec specs"),
    "review": _words("process score scores"),
    "research": _words("question questions team"),
    "build": _words("script scripts errors artifacts"),
}

# Words that are always verbs, also in a sentence without commas.
SURE_VERBS = _words(
    "analyze analyse gather collect evaluate validate verify implement integrate summarize "
    "summarise translate compare write generate identify investigate"
)
# After these, verbs describe a thing instead of the work: "The app should gather logs".
MODALS = _words("should must will shall can could may might")
# A full stop after one of these (or after a single letter) does not end a sentence.
ABBREVIATIONS = _words("vs dr mr mrs ms approx fig no st")
