"""Snippets that are copied everywhere and wrong, one file each; the file's stem is the pitfall's name.

Below its head, which `regdemo.catalog` describes, a file holds three functions:

    broken      the snippet, as it circulates: without types, drawing from the global generators
    fixed       the same with its fix
    measure     () -> (claims, blocks): what each of the two does; `fixed_claim` states what the fixed one does

It may end with WRONG, a list of `regdemo.measure.Wrong`: fixes that people propose and that do not help, each put in
place of `fixed`. A test sees each of them fail a claim.

The code that a report shows is the source of the code that ran. The fix is shown as the difference of the two, so they
should differ in as few lines as they can, each at most 78 columns wide.
"""
