"""`regdemo web`: the same practice in a browser page, served by this machine for this machine.

server      the socket, the token, uvicorn
guard       what each request must have before a route sees it
app         the routes put together
site        what the pages share: the bank, the history's thread, templates, forms
pages/      one file a page: today, quiz, mock, demos, ...
desk        the learner's sessions
markdown    markdown from strangers as safe HTML, formulas as MathML
reports     a report for a template; controls for its parameters, pictures of a learner's numbers
see         where a card's command is shown
kept        reports of trainings, in files
workroom    runs what needs torch in another process (worker)

Nothing here is a rule of practice: the pages draw what a Session returns and hand back what was entered.
"""
