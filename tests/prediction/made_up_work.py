"""Made-up work to learn from."""

from dataclasses import replace

import numpy as np

from prediction.learning.rows import Group, Rows
from prediction.learning.sketch import sketch_of
from prediction.learning.vocabulary import Hasher

HASHER = Hasher(b"a secret key")
ADA = Group("large", "ada", "report")
WORDS = ["audit", "ledger", "invoice", "budget", "vendor", "tax", "month", "close", "draft", "plan"]


def sketch(text):
    return sketch_of(text, HASHER)


def rows(texts, groups, tokens, **changes):
    """Rows of one text, one group and one number of tokens each; calls are a tenth of them."""
    distinct, named = list(dict.fromkeys(texts)), list(dict.fromkeys(groups))
    tokens = np.array(tokens, float)
    values = np.stack([tokens, tokens / 10, tokens * 0.8, tokens * 0.2, tokens * 0.0], axis=1)
    made = Rows(
        values=values,
        groups=named,
        group=np.array([named.index(group) for group in groups]),
        sketches=[sketch(text) for text in distinct if text is not None],
        text=np.array([-1 if text is None else distinct.index(text) for text in texts]),
        censored=np.zeros(len(tokens), bool),
        rule=np.full(len(tokens), 10.0),
    )
    return replace(made, **changes)


def work(count, seed=1):
    """Made-up work: ledgers cost eight times as much as the rest, the large model thrice the small
    one, and each repetition differs by a third."""
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(WORDS, 12)) for _ in range(count)]
    models = random.choice(["large", "small"], count)
    heavy = np.array([8.0 if "ledger" in text else 1.0 for text in texts])
    size = heavy * np.where(models == "large", 3, 1) * random.lognormal(7, 0.3, count)
    return texts, [Group(str(model), "ada", "report") for model in models], np.ceil(size)
