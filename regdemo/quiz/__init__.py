"""Cards parsed from markdown, grading, scheduling, history, the session. Knows nothing of any subject.

a card        cards, text, arithmetic (expressions in it)
from a page   blocks, parser, parts, kinds; of other people's pages styles
from disk     decks, translations, files, cache, identity (ids that stay)
an answer     kinds (which grade it), outcome
what was      history, database, schema, checkup, exchange
what comes    schedule, states, fitting, goal, forecast
a session     practice (which begins one), selection, session, interview
afterwards    progress
"""
