"""`regdemo web`: the same practice in a browser page, served by this machine for this machine.

server      the socket, the token, uvicorn
guard       what each request must have before a route sees it
app         the routes put together, and what they share
markdown    markdown from strangers as safe HTML, formulas as MathML
workroom    runs what needs torch in another process (worker)
pages       one file a page: today, quiz, mock, demos, ...

Nothing here is a rule of practice: the pages draw what a Session returns and hand back what was entered.
"""
