"""`regdemo mcp`: regdemo for assistants, over the Model Context Protocol.

desk      what an assistant may see and do, in plain values: it drives the one practice Session
server    the tools, resources and prompts, with their schemas
trial     `regdemo mcp --check`: the server, started and used as a client would

The order is kept here and not by the model: no answer leaves before a response was recorded, a card is graded once,
and while a mock interview lasts there is no feedback.
"""
