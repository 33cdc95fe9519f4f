"""Controls: what people order, beside what the planner decides."""

from enum import StrEnum


class Control(StrEnum):
    """An order of a person. Those of positions are about one row; `flatten` is about one venue or about all."""

    HALT = "halt"
    HALT_ALL = "halt_all"
    RESUME = "resume"
    RESET = "reset"
    FORCE_EXIT = "force_exit"
    FLATTEN = "flatten"
    ADD_POSITION = "add_position"
    PAUSE_POSITION = "pause_position"
    RESUME_POSITION = "resume_position"
    ARCHIVE_POSITION = "archive_position"
    WEIGH_POSITION = "weigh_position"


class Halt(StrEnum):
    """What a halt stops: entries, or every order but a person's own exits."""

    ENTRIES = "halt"
    ALL = "halt_all"
