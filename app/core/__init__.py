"""What everything else stands on: settings, database, queues, workers."""
