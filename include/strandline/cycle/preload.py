"""Loads what every task needs into the process that forks the tasks, so that each of them starts warm."""


def preload() -> None:
    """Import and compile. It opens no connection, because forked processes would share it."""
    import strandline.bars
    import strandline.cycle.begin
    import strandline.cycle.engine_step
    import strandline.cycle.planning
    import strandline.cycle.steps
    import strandline.cycle.venues  # noqa: F401
    from strandline.configuration import load_settings
    from strandline.engine import warm_up
    from strandline.quality import preload as preload_quality
    from strandline.strategy import load_strategy
    from strandline.venues.registry import venues

    preload_quality()
    for venue in venues():
        venue.preload()
    warm_up(load_strategy(load_settings()))
