"""What a job is and how it changes. Nothing in here does I/O."""
