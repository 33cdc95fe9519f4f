"""The schema: one step per topic, each with the SQL that makes it and the statements that remove it."""
