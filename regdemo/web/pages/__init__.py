"""One file a page, each with `routes(site)`."""

from regdemo.web.pages import demos, guide, mock, pitfalls, quiz, stats, today

ALL = (today, quiz, mock, demos, pitfalls, guide, stats)
