"""LogQL, for the readers of rules and dashboards."""

import re

import node_run

TOOLS = ("node", "npm:@grafana/lezer-logql")


def filled(query):
    """A query of a dashboard, with something in place of its variables."""
    query = re.sub(r"\[\$\{?\w+(:\w+)?\}?", "[5m", query)
    return re.sub(r"\$\{?\w+(:\w+)?\}?", "x", query)


def wrong(queries):
    """What is wrong with each query, or none."""
    for query, at in zip(queries, node_run.ask("logql.mjs", [filled(query) for query in queries])):
        yield None if at is None else f"no LogQL from {filled(query)[at:at + 20]!r} on: {query}"
