"""The command itself."""


def up() -> None:
    """Start the whole system on this machine; Ctrl-C ends it.

    That is: Postgres and its schema; in mode sim the simulated venues and two
    accounts to trade with; the sidecar, which streams the venues' trades; and
    Airflow with its pages. Nothing else needs to be installed or configured.
    Everything is kept in .strandline, or where STRANDLINE_HOME says, and the next
    start finds it there.

    It stays in the foreground and shows how each component is. What dies is
    started again, and a line says so. All else is in .strandline/logs: a file for
    each component, and below tasks/ one for each run of a task.

    Ctrl-C, or SIGTERM, ends everything in order and leaves no process behind; a
    second Ctrl-C does not wait for tasks that still run. Should it be killed
    itself, the next start first ends what was left.

    Airflow's pages are on port 8080, or on a free one if that is taken, or where
    STRANDLINE_AIRFLOW_PORT says. STRANDLINE_DATABASE_URL names a Postgres of your
    own; it needs the right to create the database `airflow` there.

    Example: strandline up

    Example: STRANDLINE_HOME=/tmp/trial strandline up
    """
    from strandline.cli.up.screen import Screen
    from strandline.cli.up.stack import Stack
    from strandline.configuration import load_settings

    screen = Screen()
    stack = Stack(load_settings(), on_event=screen.report)
    with screen.table(lambda: stack.running), stack:
        user, password = stack.login
        screen.report(f"Airflow is at {stack.airflow_url} (user {user}, password {password}); Ctrl-C ends everything")
        stack.wait()
