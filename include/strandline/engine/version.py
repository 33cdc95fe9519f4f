"""The version of the rules."""

from typing import Final

ENGINE_VERSION: Final = "4.2"
"""Changes with every change that could give another signal from the same bars."""
