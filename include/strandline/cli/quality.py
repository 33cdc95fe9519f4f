"""`strandline quality`: what the gate found, to read."""

import typer

app = typer.Typer(no_args_is_help=True, help="Read what the data-quality gate found.")


@app.callback()
def quality() -> None:
    """Read what the data-quality gate found."""


@app.command()
def docs() -> None:
    """Render the gate's newest results as pages, and print the address of the first.

    They are Great Expectations' Data Docs, in STRANDLINE_DATA_DOCS_DIR: the newest twelve cycles, and the newest runs
    that found something. Airflow does the same every hour (the DAG `data_docs`).

    Example: strandline quality docs
    """
    from strandline.cycle.data_docs import render_data_docs

    summary = render_data_docs()
    if not summary["pages"]:
        print("No cycle has been checked yet.")
        return
    print(f"{summary['new']} new pages of {summary['pages']}; begin at {summary['start']}")
