"""Other people's markdown: one file for each style in which questions are written."""
