"""What the jobs and the API call: tasks, e-mail, providers, reading, extraction."""
