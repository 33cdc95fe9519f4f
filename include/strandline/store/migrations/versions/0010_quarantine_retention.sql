-- Quarantined messages are deleted after a while: a venue that sends nonsense must not fill the disk.

DROP TRIGGER append_only ON quarantined_messages;
GRANT DELETE ON quarantined_messages TO strandline_ingest;
COMMENT ON TABLE quarantined_messages IS
  'Messages of venues that could not be understood or stored. The sidecar keeps a thousand at once and one a second, '
  'counts the others in its heartbeat, and each day deletes those older than 30 days and all but the newest 50,000.';
COMMENT ON COLUMN quarantined_messages.payload IS 'The first 2 KiB of the message as it was received.';
