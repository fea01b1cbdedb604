"""One file a page, each with `routes(site)`; loaded when one of its addresses is first asked for."""

from regdemo.web.pages import cards, compare, demos, diagnose, guide, katas, mock, pitfalls, quiz, search, stats, today

BY_FIRST = {  # by the first part of the path
    "": today,
    "quiz": quiz,
    "cards": cards,
    "topics": cards,
    "mock": mock,
    "demos": demos,
    "see": demos,
    "pitfalls": pitfalls,
    "diagnose": diagnose,
    "compare": compare,
    "katas": katas,
    "guide": guide,
    "stats": stats,
    "plan": stats,
    "search": search,
}
