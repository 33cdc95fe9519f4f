"""Values that several files of the settings use."""

from enum import StrEnum
from pathlib import Path

CONTAINER_SECRETS = Path("/run/secrets")


class LogLevel(StrEnum):
    """The least severe level that is logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Source(StrEnum):
    """Where a value came from."""

    ENVIRONMENT = "environment"
    ENV_FILE = ".env"
    SECRETS_DIRECTORY = "secret file"
