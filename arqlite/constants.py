"""Names and numbers that users of arq import, and those that are arqlite's own."""

default_queue_name = "arq:queue"
job_key_prefix = "arq:job:"
in_progress_key_prefix = "arq:in-progress:"
result_key_prefix = "arq:result:"
retry_key_prefix = "arq:retry:"
abort_jobs_ss = "arq:abort"
# An abort request is remembered for this many seconds.
abort_job_max_age = 60
health_check_key_suffix = ":health-check"
# How long a cron job's lock outlives the run, in seconds.
keep_cronjob_progress = 60
# arq fails every job that waited longer than this; arqlite does so only when asked (`_expires`).
expires_extra_ms = 86_400_000
timezone_env_vars = ("ARQ_TIMEZONE", "arq_timezone", "TIMEZONE", "timezone")

# A worker's lease on its jobs. Three missed heartbeats: one can be lost to a pause, two to a
# failover; a third means the worker is gone.
default_lease_s = 15.0
heartbeats_per_lease = 3
# How often a job may take its worker down before it is given up as poison.
default_max_rescues = 3
# How long a job whose function no running worker knows is kept for a worker that does.
default_unknown_function_ttl_s = 3600.0
# How often results whose time is over are looked for, and how many of them one look forgets.
default_prune_interval_s = 30.0
default_prune_limit = 10_000
