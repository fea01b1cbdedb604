"""Code exercises: the learner's code runs in a box, and the judge that looks at what it returns runs in another."""
