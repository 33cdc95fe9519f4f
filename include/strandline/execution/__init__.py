"""The outbox: claim, write ahead, drive, recover, reconcile."""
