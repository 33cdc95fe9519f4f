"""Renders the gate's stored results, apart from the cycle."""

from strandline.cycle.context import open_context
from strandline.cycle.runs import Summary
from strandline.store.timeouts import COMPUTING


def render_data_docs() -> Summary:
    """Render what is new, and name the page to begin with."""
    from strandline.quality.data_docs import render_data_docs as render

    with open_context(COMPUTING) as context:
        rendered = render(context.database, context.settings.data_docs)
    return {"start": rendered.start.as_uri(), "new": rendered.new, "pages": rendered.pages}
