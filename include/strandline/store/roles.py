"""The four database roles. This module is light: the sidecar imports it, and must be up again at once."""

from enum import StrEnum


class Role(StrEnum):
    """The roles; they cannot log in, a session of any login switches to one when it connects (see `connect`)."""

    OWNER = "strandline_owner"
    APP = "strandline_app"
    INGEST = "strandline_ingest"
    UI = "strandline_ui"
