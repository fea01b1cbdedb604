"""Snippets that are copied everywhere and wrong, one file each; the file's stem is the pitfall's name.

A file holds a docstring (its title, `Name: what goes wrong`, then why), BREAKS (the demo of the technique that it gets
wrong), CARDS, SAY and WRONG_ANSWER (as a demo's report has them), and three functions:

    broken      the snippet, as it circulates: without types, drawing from the global generators
    mended      the same with what mends it
    measure     () -> (claims, blocks): what each of the two really does

`regdemo.gallery` finds, runs and reports them; the code that it shows is the source of the code that ran. What mends
the snippet is shown as the difference of the two, so they should differ in as few lines as they can, each at most 78
columns wide. `regdemo.gallery.pitfalls()` has the names, `regdemo pitfalls` prints them.
"""
