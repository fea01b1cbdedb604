"""One file a page, each with `routes(site)`."""

from regdemo.web.pages import demos, guide, katas, mock, pitfalls, quiz, search, stats, today

ALL = (today, quiz, mock, demos, pitfalls, katas, guide, stats, search)
