"""One file a page, each with `routes(site)`."""

from regdemo.web.pages import compare, demos, guide, katas, mock, pitfalls, quiz, search, stats, today

ALL = (today, quiz, mock, demos, pitfalls, compare, katas, guide, stats, search)
