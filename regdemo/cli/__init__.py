"""Parse, call, render: the only place that knows Typer."""
