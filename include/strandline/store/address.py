"""Where the database is."""

from strandline.settings import Settings
from strandline.store.postgres.server import EmbeddedPostgres
from strandline.store.roles import Role


def database_address(settings: Settings, role: Role) -> str:
    """The URL of the role's own login where one is set, else of the common one, else the embedded server's."""
    own = {
        Role.OWNER: settings.database_url_owner,
        Role.APP: settings.database_url_app,
        Role.INGEST: settings.database_url_ingest,
        Role.UI: settings.database_url_ui,
    }[role]
    chosen = own or settings.database_url
    if chosen is None:
        return EmbeddedPostgres(settings.home / "postgres").url()
    # Imported here because it is slow, and not needed for the embedded server.
    from sqlalchemy import make_url

    return make_url(chosen.get_secret_value()).render_as_string(hide_password=False)
