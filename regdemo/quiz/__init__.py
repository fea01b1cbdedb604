"""Cards parsed from markdown, grading, scheduling, history, the session. Knows nothing of any subject."""
