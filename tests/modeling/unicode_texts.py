"""Texts of words that a vocabulary was learned from and of new ones, with anything before, behind and between them."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from .test_vocabulary import SENTENCES

NEWS = ["the banklady of the scoreboard wins a soundtrack", "soundtrack and scoreboard: goalless growthful goalless soundtrack"]
WORDS = sorted({word for text in [*SENTENCES, *NEWS] for word in text.split()})
few = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
word = st.one_of(st.sampled_from(WORDS), st.sampled_from(WORDS).map(str.capitalize), st.text(max_size=4))
unicode_texts = st.lists(st.tuples(word, st.one_of(st.just(" "), st.text(max_size=2))).map("".join), max_size=8).map("".join)
