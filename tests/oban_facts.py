"""What Oban does, in numbered facts, and where arqlite is held to each of them.

A fact that arqlite meets in a form of its own, or that does not apply to it, says so.
"""

from __future__ import annotations

from typing import NamedTuple


class Fact(NamedTuple):
    """One behaviour.

    Attributes:
        text: what it is.
        tests: the tests that hold it.
        instead: why it does not apply, or how arqlite differs.
    """

    text: str
    tests: tuple[str, ...] = ()
    instead: str = ""


SECONDARY = frozenset(
    {10, 11, 13, 28, 39, 48, 60, 62, 72, 87, 88, 89, 105, 106, 113, 116, 117, 127, 132, 134, 146, 148,
    152, 155, 156, 164, 170, 172, 177, 180, 181, 182, 183, 184, 185, 186, 187, 188, 189, 190, 191, 192,
    193, 194, 195}
)  # fmt: skip
"""Details of one implementation, of logs or of the dashboard: not of the core set."""

FACTS: dict[int, Fact] = {
    1: Fact(
        "five fields parse, any other number of them is an error",
        (
            "tests/model/test_model_crontab.py::test_five_fields_can_be_read",
            "tests/model/test_model_crontab.py::test_other_numbers_of_fields_are_refused",
        ),
        instead="A sixth field, of seconds, may follow: jobs of every second are asked for.",
    ),
    2: Fact(
        "values out of a field's range are errors",
        (
            "tests/model/test_model_crontab.py::test_values_out_of_range_are_refused",
            "tests/model/test_model_crontab.py::test_sunday_has_two_numbers",
        ),
    ),
    3: Fact("a step has one or two digits and is not 0", ("tests/model/test_model_crontab.py::test_steps",)),
    4: Fact(
        "names of months and weekdays are checked",
        ("tests/model/test_model_crontab.py::test_unknown_names_are_refused",),
    ),
    5: Fact(
        "ranges of names parse when they ascend",
        (
            "tests/model/test_model_crontab.py::test_names_can_be_read",
            "tests/model/test_model_crontab.py::test_ranges_do_not_run_backwards",
        ),
    ),
    6: Fact(
        "bounds are checked before a range is expanded",
        ("tests/model/test_model_crontab.py::test_bounds_are_checked_before_a_range_is_laid_out",),
    ),
    7: Fact(
        "ranges that leave a field's bounds are errors",
        ("tests/model/test_model_crontab.py::test_values_out_of_range_are_refused",),
    ),
    8: Fact(
        "a step is anchored at the low end of its range",
        ("tests/model/test_model_crontab.py::test_forms_of_a_field",),
    ),
    9: Fact(
        "a list may mix values, ranges and steps",
        ("tests/model/test_model_crontab.py::test_forms_of_a_field",),
    ),
    10: Fact("any white space separates fields", ("tests/model/test_model_crontab.py::test_blanks",)),
    11: Fact(
        "leading zeros are read as the number", ("tests/model/test_model_crontab.py::test_forms_of_a_field",)
    ),
    12: Fact(
        "a day that no named month has is an error",
        (
            "tests/model/test_model_crontab.py::test_date_that_never_comes",
            "tests/model/test_model_crontab.py::test_dates_that_come",
        ),
    ),
    13: Fact(
        "a day or month of any kind is never impossible",
        ("tests/model/test_model_crontab.py::test_dates_that_come",),
    ),
    14: Fact("nicknames stand for their expressions", ("tests/model/test_model_crontab.py::test_nicknames",)),
    15: Fact(
        "@reboot parses and has no next time", ("tests/test_cron_moments.py::test_reboot_has_no_next_time",)
    ),
    16: Fact(
        "day of month and weekday must both match",
        ("tests/model/test_model_crontab.py::test_day_and_weekday_have_to_match_both",),
    ),
    17: Fact(
        "Sunday is 0 and Monday is 1", ("tests/model/test_model_crontab.py::test_weekdays_count_from_sunday",)
    ),
    18: Fact("the next minute follows within a minute", ("tests/test_cron_moments.py::test_next_time",)),
    19: Fact("the next step and the next hour are found", ("tests/test_cron_moments.py::test_next_time",)),
    20: Fact("the next hour of a day is found", ("tests/test_cron_moments.py::test_next_time",)),
    21: Fact("the next first of a month is found", ("tests/test_cron_moments.py::test_next_time",)),
    22: Fact(
        "the next of several hours of one date is found, over years",
        ("tests/test_cron_moments.py::test_next_time",),
    ),
    23: Fact(
        "the next date that falls on a weekday is found, over years",
        ("tests/test_cron_moments.py::test_next_time",),
    ),
    24: Fact("the last minute, step and hour are found", ("tests/test_cron_moments.py::test_last_time",)),
    25: Fact(
        "the last hour and the last first of a month are found",
        ("tests/test_cron_moments.py::test_last_time",),
    ),
    26: Fact("the last date is found, over years", ("tests/test_cron_moments.py::test_last_time",)),
    27: Fact(
        "next is later, last is earlier, both are whole",
        ("tests/test_cron_moments.py::test_next_is_later_and_last_is_earlier",),
    ),
    28: Fact(
        "the pause to the next tick has its bounds",
        ("tests/runtime/test_runtime_scheduler.py::test_never_before_its_time",),
        instead=(
            "There is no tick of each minute: a scheduler sleeps until the next time of any of its "
            "cron jobs, by the server's clock."
        ),
    ),
    29: Fact(
        "an entry that cannot work is refused at the start",
        (
            "tests/test_cron_options.py::test_what_is_no_cron_job_is_refused",
            "tests/test_cron_options.py::test_unknown_function_and_unknown_option_are_refused",
            "tests/test_cron_options.py::test_option_that_cannot_work_is_refused",
            "tests/test_cron_options.py::test_call_that_cannot_be_made_is_refused",
        ),
    ),
    30: Fact(
        "names of zones are exact",
        (
            "tests/test_cron_options.py::test_option_that_cannot_work_is_refused",
            "tests/test_cron_options.py::test_zone_by_its_exact_name",
        ),
    ),
    31: Fact(
        "one moment fires exactly the entries that match it",
        ("tests/runtime/test_runtime_cron_jobs.py::test_entries_with_other_arguments_both_run",),
    ),
    32: Fact(
        "each entry is read in its zone",
        ("tests/runtime/test_runtime_cron_jobs.py::test_zone_of_its_own_comes_before_the_workers",),
    ),
    33: Fact(
        "a cron job carries where it came from, and entries that differ have names of their own",
        (
            "tests/runtime/test_runtime_cron_jobs.py::test_jobs_tell_where_they_come_from",
            "tests/test_cron_options.py::test_entries_that_differ_in_arguments_have_names_of_their_own",
        ),
    ),
    34: Fact(
        "who does not fire inserts nothing, and another one can take over",
        ("tests/runtime/test_runtime_cron_jobs.py::test_reboot_is_fired_by_who_becomes_the_leader",),
    ),
    35: Fact(
        "@reboot is inserted once per start",
        ("tests/runtime/test_runtime_cron_jobs.py::test_reboot_is_fired_by_the_leader_once",),
    ),
    36: Fact(
        "meta of the user's stays beside that of cron",
        ("tests/runtime/test_runtime_cron_jobs.py::test_meta_of_the_user_stays",),
    ),
    37: Fact(
        "an outage during a tick leaves the scheduler alive",
        ("tests/runtime/test_runtime_cron_jobs.py::test_scheduler_survives_trouble_with_redis",),
    ),
    38: Fact(
        "missed times are not made up for unless asked",
        ("tests/runtime/test_runtime_cron_jobs.py::test_times_while_no_worker_ran",),
    ),
    39: Fact(
        "a clock that goes back fires nothing twice",
        ("tests/runtime/test_runtime_cron_jobs.py::test_time_is_fired_once_though_the_clock_goes_back",),
    ),
    40: Fact(
        "equal jobs within the period are one, the second is a conflict",
        ("tests/test_unique.py::test_second_job_is_the_first",),
    ),
    41: Fact(
        "True is unique for ever, None and False are not, nothing is an error",
        (
            "tests/model/test_model_unique.py::test_short_forms",
            "tests/model/test_model_unique.py::test_forms_that_mean_nothing",
        ),
    ),
    42: Fact(
        "another function or queue is another job",
        (
            "tests/test_unique.py::test_second_job_is_the_first",
            "tests/test_unique.py::test_queues_are_apart",
        ),
    ),
    43: Fact("only the named fields are compared", ("tests/model/test_model_fingerprint.py::test_same",)),
    44: Fact(
        "only the named keys are compared",
        ("tests/test_unique.py::test_keys",),
        instead=(
            "Its last sentence: a job is compared only with jobs of the same fields and keys: a lock "
            "is per rule, no rows are searched."
        ),
    ),
    45: Fact(
        "no arguments are equal to no arguments only",
        ("tests/model/test_model_fingerprint.py::test_not_the_same",),
    ),
    46: Fact(
        "more arguments make another job", ("tests/model/test_model_fingerprint.py::test_not_the_same",)
    ),
    47: Fact("keys of meta are compared alone", ("tests/test_unique.py::test_meta",)),
    48: Fact(
        "keys that a job lacks are equal to none", ("tests/model/test_model_fingerprint.py::test_same",)
    ),
    49: Fact(
        "a job is a conflict in the listed states only",
        ("tests/engine/test_engine_locks.py::test_state_decides",),
    ),
    50: Fact(
        "a completed job blocks or not, as the group says",
        ("tests/test_unique.py::test_completed_job_counts_unless_states_say_no",),
    ),
    51: Fact(
        "the period ends to the millisecond, as the new job counts it",
        ("tests/engine/test_engine_locks.py::test_period_of_the_new_job_decides",),
    ),
    52: Fact(
        "the period may begin when the job was due",
        ("tests/engine/test_engine_locks.py::test_period_since_it_was_due",),
    ),
    53: Fact(
        "of concurrent inserts one wins",
        (
            "tests/test_unique.py::test_twenty_callers",
            "tests/engine/test_engine_locks.py::test_twenty_at_once",
        ),
    ),
    54: Fact(
        "jobs of one call are compared with each other",
        ("tests/engine/test_engine_locks.py::test_equal_jobs_of_one_call",),
    ),
    55: Fact(
        "options of uniqueness that cannot work are errors",
        (
            "tests/model/test_model_unique.py::test_what_cannot_work_is_refused",
            "tests/model/test_model_unique.py::test_forms_that_mean_nothing",
        ),
    ),
    56: Fact(
        "periods are given as spans", ("tests/model/test_model_unique.py::test_period_is_kept_in_seconds",)
    ),
    57: Fact(
        "states and keys of the wrong kind are errors",
        ("tests/model/test_model_unique.py::test_what_cannot_work_is_refused",),
    ),
    58: Fact("replace changes the listed parts of the earlier job", ("tests/test_unique.py::test_replace",)),
    59: Fact(
        "replace may differ by the earlier job's state", ("tests/test_unique.py::test_replace_by_state",)
    ),
    60: Fact(
        "only what the new job says itself is taken over",
        ("tests/test_unique.py::test_replace_leaves_what_was_not_said",),
    ),
    61: Fact(
        "unknown fields and states to replace are errors",
        ("tests/model/test_model_unique.py::test_what_cannot_work_is_refused",),
        instead="There is no legacy replace_args: no older version of arqlite had it.",
    ),
    62: Fact("a bulk insert checks uniqueness as well", ("tests/test_unique.py::test_many_at_once",)),
    63: Fact(
        "unknown options are errors",
        ("tests/model/test_model_calls.py::test_options_that_cannot_work_are_refused",),
    ),
    64: Fact(
        "priorities and attempts out of range are errors",
        (
            "tests/model/test_model_calls.py::test_options_that_cannot_work_are_refused",
            "tests/model/test_model_calls.py::test_options_are_checked_and_plain",
        ),
    ),
    65: Fact(
        "a delay makes a job scheduled",
        (
            "tests/test_enqueue.py::test_delay_and_moment",
            "tests/model/test_model_calls.py::test_options_are_checked_and_plain",
        ),
    ),
    66: Fact(
        "a delay of the wrong kind is an error named after its option",
        ("tests/model/test_model_calls.py::test_options_that_cannot_work_are_refused",),
    ),
    67: Fact("a negative delay is due at once", ("tests/test_unique.py::test_negative_delay_comes_first",)),
    68: Fact(
        "a moment makes a job scheduled until it is staged",
        (),
        instead=(
            "A moment that has passed is ready at once (available), and no state can be asked for; "
            "see docs/schedule.md."
        ),
    ),
    69: Fact("tags are trimmed, lowered and each once", ("tests/model/test_model_checks.py::test_tags",)),
    70: Fact(
        "options of a call win over the task's, uniqueness key by key",
        (
            "tests/model/test_model_tasks.py::test_call_takes_the_defaults_of_its_task",
            "tests/test_unique.py::test_rule_of_a_task",
        ),
    ),
    71: Fact(
        "options of a task are checked where it is defined",
        ("tests/model/test_model_tasks.py::test_options_that_cannot_work",),
    ),
    72: Fact(
        "arguments of any shape go through one builder",
        (),
        instead=(
            "A function is enqueued itself, there is no builder to override; its arguments need not "
            "be a dict."
        ),
    ),
    73: Fact(
        "a filter refuses what it does not know; a new due time makes a job scheduled",
        (
            "tests/model/test_model_filters.py::test_conditions_that_mean_nothing_are_refused",
            "tests/model/test_model_filters.py::test_conditions_of_what_is_written",
            "tests/inspector/test_inspector_finding.py::test_conditions_must_mean_something",
            "tests/inspector/test_inspector_finding.py::test_jobs_by_what_is_written",
            "tests/inspector/test_inspector_changing.py::test_scheduled_at_makes_a_job_scheduled",
        ),
    ),
    74: Fact(
        "arguments come back as JSON has them; others fail before anything is stored",
        (
            "tests/test_unique.py::test_keys_of_dicts_are_texts",
            "tests/test_unique.py::test_one_that_cannot_be_written",
        ),
    ),
    75: Fact(
        "returning completes, raising makes retryable with one error",
        (
            "tests/test_worker_tasks.py::test_task_completes",
            "tests/test_worker_tasks.py::test_failed_attempts_are_tried_again",
        ),
    ),
    76: Fact(
        "Cancel and Discard end a job with their reason and no retry",
        ("tests/test_worker_tasks.py::test_job_that_gives_up",),
    ),
    77: Fact(
        "the last attempt decides between retryable and discarded",
        (
            "tests/test_worker_tasks.py::test_failure_of_the_only_attempt",
            "tests/model/test_model_outcomes.py::test_attempts_are_used_up",
        ),
    ),
    78: Fact(
        "whatever kills a run, the others go on and it is tried again",
        (
            "tests/test_worker_tasks.py::test_whatever_is_raised_is_tried_again",
            "tests/test_worker_tasks.py::test_process_that_dies_is_a_failed_attempt",
        ),
    ),
    79: Fact(
        "any value completes; a Snooze that cannot work is an error",
        ("tests/test_errors.py::test_snooze_without_an_end",),
        instead=(
            "First half: in Python any value that is returned is the job's result, so none is unknown"
            " and none is warned of."
        ),
    ),
    80: Fact(
        "a job of an unknown function is kept and tried again",
        (
            "tests/test_worker.py::test_unknown_function_is_kept_for_a_worker_that_knows_it",
            "tests/test_worker.py::test_unknown_function_fails_in_the_end",
        ),
    ),
    81: Fact(
        "a timeout is a failure that is tried again",
        (
            "tests/test_worker_tasks.py::test_timeout_is_a_failure_like_others",
            "tests/model/test_model_outcomes.py::test_timeout_of_a_task_is_a_failure",
        ),
    ),
    82: Fact(
        "a task has no timeout unless it is given one",
        ("tests/test_worker_tasks.py::test_task_has_no_timeout_of_the_worker",),
    ),
    83: Fact(
        "a task's own back-off is used after timeouts, too",
        ("tests/model/test_model_outcomes.py::test_timeout_of_a_task_is_a_failure",),
    ),
    84: Fact("the default back-off by attempt", ("tests/model/test_model_backoff.py::test_formula",)),
    85: Fact("jitter only lengthens", ("tests/model/test_model_backoff.py::test_chance_only_lengthens",)),
    86: Fact(
        "back-off grows and stays within its bound",
        ("tests/model/test_model_backoff.py::test_delays_grow_and_have_an_end",),
    ),
    87: Fact(
        "more than twenty attempts are scaled to twenty",
        ("tests/model/test_model_backoff.py::test_many_attempts_share_the_curve",),
    ),
    88: Fact("the exponential helper", ("tests/model/test_model_backoff.py::test_exponential",)),
    89: Fact("the jitter helper", ("tests/model/test_model_backoff.py::test_jitter",)),
    90: Fact(
        "errors of earlier attempts stay",
        (
            "tests/engine/test_engine_errors.py::test_errors_grow_and_travel_with_the_claim",
            "tests/test_worker_tasks.py::test_attempts_are_used_up",
            "tests/ledger/test_ledger_writing.py::test_attempts_are_told",
        ),
    ),
    91: Fact(
        "priority first, then age",
        (
            "tests/engine/test_engine_enqueue.py::test_priority_comes_before_age",
            "tests/test_enqueue.py::test_priority",
        ),
    ),
    92: Fact(
        "a job without attempts left is not run",
        ("tests/test_worker_tasks.py::test_job_without_attempts_is_not_run",),
    ),
    93: Fact(
        "a snooze waits, costs no attempt and is counted",
        (
            "tests/test_worker_tasks.py::test_snooze",
            "tests/test_worker_tasks.py::test_snoozed_job_is_scheduled",
        ),
    ),
    94: Fact(
        "a snooze of 0 and of any span works",
        (
            "tests/test_errors.py::test_delays_of_a_snooze",
            "tests/model/test_model_outcomes.py::test_snooze_costs_no_attempt",
        ),
    ),
    95: Fact("many snoozes leave all attempts", ("tests/test_worker_tasks.py::test_snooze",)),
    96: Fact(
        "a waiting job is cancelled at once, without an error",
        (
            "tests/inspector/test_inspector_moving.py::test_cancel_a_waiting_job",
            "tests/test_worker_tasks.py::test_abort_before_the_start_leaves_no_error",
        ),
    ),
    97: Fact(
        "a running job is cancelled by its worker",
        (
            "tests/inspector/test_inspector_moving.py::test_cancel_a_running_task",
            "tests/inspector/test_inspector_moving.py::test_cancel_a_running_job",
            "tests/test_worker_tasks.py::test_running_task_may_always_be_cancelled",
        ),
    ),
    98: Fact(
        "cancelling what has ended or never was changes nothing",
        (
            "tests/inspector/test_inspector_moving.py::test_cancel_an_ended_job",
            "tests/inspector/test_inspector_moving.py::test_unknown_job_is_no_error",
        ),
    ),
    99: Fact(
        "a bulk cancel counts what it cancelled",
        ("tests/inspector/test_inspector_moving.py::test_cancel_jobs_counts_what_had_not_ended",),
    ),
    100: Fact(
        "a retry by hand grants an attempt where none is left",
        (
            "tests/inspector/test_inspector_moving.py::test_retry_at_the_last_attempt_grants_one",
            "tests/inspector/test_inspector_moving.py::test_retry_keeps_attempts_and_errors",
            "tests/inspector/test_inspector_moving.py::test_retry_leaves_available_and_running_jobs",
            "tests/inspector/test_inspector_moving.py::test_retry_jobs_counts_what_it_moved",
        ),
    ),
    101: Fact(
        "a retry by hand is due now and keeps errors and attempt",
        (
            "tests/inspector/test_inspector_moving.py::test_retry_makes_a_job_available",
            "tests/inspector/test_inspector_moving.py::test_retried_task_keeps_its_errors",
            "tests/inspector/test_inspector_moving.py::test_unknown_job_is_no_error",
        ),
    ),
    102: Fact(
        "a retry by hand runs a scheduled job now",
        ("tests/inspector/test_inspector_moving.py::test_retry_makes_a_job_available",),
    ),
    103: Fact(
        "anything but a running job can be deleted",
        (
            "tests/inspector/test_inspector_moving.py::test_delete_a_job",
            "tests/inspector/test_inspector_moving.py::test_delete_jobs_spares_what_runs",
        ),
    ),
    104: Fact(
        "an update takes a dict or a function; a lost race is told",
        (
            "tests/inspector/test_inspector_changing.py::test_update_by_a_function_of_the_job",
            "tests/inspector/test_inspector_changing.py::test_changes_that_cannot_be",
            "tests/inspector/test_inspector_changing.py::test_update_of_an_unknown_job",
            "tests/inspector/test_inspector_changing.py::test_update_of_a_running_job",
            "tests/inspector/test_inspector_changing.py::test_update_of_a_job_that_never_rests",
        ),
    ),
    105: Fact(
        "an update cannot set the state",
        (
            "tests/inspector/test_inspector_changing.py::test_changes_that_cannot_be",
            "tests/model/test_model_updates.py::test_changes_that_cannot_be",
        ),
    ),
    106: Fact(
        "a cancelled run may notice by itself",
        ("tests/inspector/test_inspector_moving.py::test_running_job_runs_on_until_its_worker_ends_it",),
    ),
    107: Fact(
        "only ended jobs are pruned, at their age",
        (
            "tests/runtime/test_runtime_upkeep.py::test_ends_are_forgotten_at_their_age",
            "tests/runtime/test_runtime_upkeep.py::test_jobs_that_have_not_ended_are_never_pruned",
            "tests/ledger/test_ledger_pruner.py::test_state_has_its_age",
            "tests/ledger/test_ledger_pruner.py::test_open_jobs_stay",
        ),
    ),
    108: Fact(
        "a completed job's age counts from its completion",
        ("tests/runtime/test_runtime_upkeep.py::test_age_counts_from_the_end_of_a_job",),
    ),
    109: Fact(
        "cancelled and discarded jobs' ages count from their ends",
        ("tests/runtime/test_runtime_upkeep.py::test_age_counts_from_the_end_of_a_job",),
    ),
    110: Fact(
        "a run of the pruner is bounded",
        (
            "tests/engine/test_engine_duties.py::test_prune_stops_at_its_limit",
            "tests/runtime/test_runtime_upkeep.py::test_pruner_takes_the_rest_in_later_runs",
            "tests/ledger/test_ledger_pruner.py::test_many_go_in_batches",
        ),
    ),
    111: Fact(
        "options of the pruner that cannot work are errors",
        (
            "tests/runtime/test_runtime_upkeep.py::test_services_refuse_what_cannot_work",
            "tests/runtime/test_runtime_upkeep.py::test_spans_may_be_timedeltas",
            "tests/test_settings.py::test_misspelled_option_is_told_with_the_right_one",
        ),
    ),
    112: Fact(
        "pruning needs no leader",
        ("tests/engine/test_engine_ends.py::test_prune_spares_an_id_in_use_again",),
        instead=(
            "Every worker may prune: the script finds what another one has taken already, and nothing"
            " is lost or done twice."
        ),
    ),
    113: Fact(
        "what was pruned is told",
        ("tests/telemetry/test_telemetry_workers.py::test_pruning_tells_its_count",),
        instead=(
            "Pruned jobs are told by their number (JobsPruned); listing ids would read every record "
            "that goes."
        ),
    ),
    114: Fact(
        "jobs of a dead worker are rescued, or discarded when they took too many along",
        (
            "tests/test_worker_tasks.py::test_task_that_kills_workers_is_discarded",
            "tests/engine/test_engine_sessions.py::test_rescue_puts_the_jobs_back_in_front",
            "tests/runtime/test_runtime_upkeep.py::test_jobs_of_a_silent_worker_are_rescued_when_its_lease_is_over",
            "tests/test_worker_retries.py::test_poison_job_is_given_up",
        ),
    ),
    115: Fact(
        "a rescue adds no failed attempt",
        (
            "tests/test_worker_tasks.py::test_crashes_are_no_attempts",
            "tests/runtime/test_runtime_upkeep.py::test_rescue_counts_a_crash_and_no_attempt",
        ),
        instead=("Not only the leader: every worker rescues, behind an atomic script."),
    ),
    116: Fact(
        "a rescue touches its own queue only",
        (
            "tests/engine/test_engine_sessions.py::test_rescue_of_several_sessions",
            "tests/runtime/test_runtime_upkeep.py::test_rescue_leaves_other_queues_alone",
        ),
    ),
    117: Fact(
        "rescues are counted",
        (
            "tests/test_worker_tasks.py::test_crashes_are_no_attempts",
            "tests/engine/test_engine_sessions.py::test_rescue_counts_crashes_beside_tries",
        ),
        instead="Crashes are counted apart in the job's memory, and not in its meta.",
    ),
    118: Fact(
        "due jobs become available, others do not",
        ("tests/runtime/test_runtime_upkeep.py::test_due_jobs_are_staged_by_the_next_turn",),
    ),
    119: Fact(
        "what is due starts promptly, what is not waits",
        ("tests/runtime/test_runtime_upkeep.py::test_jobs_of_the_past_run_promptly",),
        instead="Staging is the engine's: each turn stages what is due, to the millisecond.",
    ),
    120: Fact(
        "staging needs no interval",
        ("tests/runtime/test_runtime_services.py::test_stager_wakes_when_a_job_is_due",),
        instead=(
            "There is no stager that works at an interval: each turn stages what is due, and idle "
            "workers sleep until then."
        ),
    ),
    121: Fact(
        "no second mode of waking is needed",
        ("tests/engine/test_engine_wakeup.py::test_waiting_ends_without_a_token",),
        instead=(
            "Tokens and messages are hints; without them a worker looks by itself after 5 s, there is"
            " no mode to switch."
        ),
    ),
    122: Fact(
        "no second mode of staging is needed",
        (),
        instead="As 121: staging needs neither a leader nor a mode.",
    ),
    123: Fact(
        "a queue's limit holds", ("tests/test_worker_queue_limits.py::test_global_limit_holds_over_workers",)
    ),
    124: Fact(
        "an insert wakes the queues that have work, once",
        (
            "tests/engine/test_engine_enqueue.py::test_token_is_one_at_most",
            "tests/engine/test_engine_enqueue.py::test_token_for_a_new_head_of_the_schedule_only",
        ),
    ),
    125: Fact(
        "a paused queue starts nothing, ends what runs, and resumes",
        (
            "tests/inspector/test_inspector_control.py::test_paused_queue_keeps_jobs_and_lets_running_ones_end",
        ),
    ),
    126: Fact(
        "pause and resume may name a node",
        (
            "tests/inspector/test_inspector_control.py::test_pause_of_a_node",
            "tests/engine/test_engine_limits.py::test_pause_of_a_node_concerns_no_other",
        ),
    ),
    127: Fact(
        "all queues can be paused and resumed",
        ("tests/inspector/test_inspector_control.py::test_all_queues_are_paused_and_resumed",),
    ),
    128: Fact(
        "control of a queue that is nowhere is no error",
        ("tests/inspector/test_inspector_control.py::test_queue_that_exists_nowhere_may_be_steered",),
    ),
    129: Fact(
        "control with options that cannot work is an error",
        (
            "tests/inspector/test_inspector_control.py::test_values_that_cannot_work_are_refused",
            "tests/inspector/test_inspector_control.py::test_queue_needs_a_name",
        ),
    ),
    130: Fact(
        "scaling up starts more at once, scaling down lets run",
        ("tests/inspector/test_inspector_control.py::test_scaling_up_starts_more_at_once",),
    ),
    131: Fact(
        "queues are started by starting workers",
        (
            "tests/inspector/test_inspector_control.py::test_pause_outlives_workers",
            "tests/inspector/test_inspector_control.py::test_limit_of_one_node",
        ),
        instead="Queues are started by starting a worker; a limit and a pause may be set before that.",
    ),
    132: Fact(
        "stopping one queue leaves the others",
        ("tests/inspector/test_inspector_control.py::test_stop_ends_the_workers_of_one_queue",),
    ),
    133: Fact(
        "a queue can be looked at",
        (
            "tests/inspector/test_inspector_control.py::test_queue_is_told_with_its_workers",
            "tests/inspector/test_inspector_control.py::test_all_queues_are_told_by_name",
        ),
    ),
    134: Fact(
        "a queue that starts paused says so",
        ("tests/inspector/test_inspector_control.py::test_worker_that_starts_paused",),
    ),
    135: Fact(
        "what outlives the grace period does not succeed here; what ends in it does",
        ("tests/telemetry/test_telemetry_workers.py::test_shutdown_names_who_was_still_running",),
    ),
    136: Fact(
        "nothing starts after a shutdown began",
        ("tests/telemetry/test_telemetry_workers.py::test_shutdown_starts_nothing_new",),
    ),
    137: Fact(
        "the grace period is for all together",
        ("tests/telemetry/test_telemetry_workers.py::test_queues_of_a_process_share_one_patience",),
    ),
    138: Fact(
        "a shutdown tells what it left behind",
        (
            "tests/telemetry/test_telemetry_workers.py::test_shutdown_names_who_was_still_running",
            "tests/telemetry/test_telemetry_workers.py::test_shutdown_of_an_idle_worker",
            "tests/telemetry/test_telemetry_logger.py::test_shutdown_without_orphans_is_no_line",
        ),
    ),
    139: Fact(
        "one leader, followed by another one",
        (
            "tests/test_leader.py::test_one_of_two_workers_leads_and_the_other_follows_at_once",
            "tests/test_leader.py::test_leader_that_lost_its_lease_leads_no_more",
            "tests/test_leader.py::test_trouble_with_redis_elects_nobody",
            "tests/engine/test_engine_duties.py::test_leader_whose_lease_ended_is_replaced",
            "tests/chaos/test_chaos_cron.py::test_each_second_runs_once_though_the_leader_is_killed",
        ),
    ),
    140: Fact(
        "draining counts each outcome",
        ("tests/testing/test_testing_draining.py::test_every_outcome_of_a_task_is_counted",),
    ),
    141: Fact(
        "draining leaves scheduled jobs unless told otherwise",
        ("tests/testing/test_testing_draining.py::test_scheduled_jobs_are_left_by_default",),
    ),
    142: Fact(
        "draining up to a moment includes it",
        ("tests/testing/test_testing_draining.py::test_scheduled_until_a_moment",),
    ),
    143: Fact(
        "draining without safety raises what a job raises",
        (
            "tests/testing/test_testing_draining.py::test_without_safety_the_exception_is_raised",
            "tests/testing/test_testing_draining.py::test_without_safety_a_timeout_is_raised",
        ),
    ),
    144: Fact(
        "draining may follow the jobs that jobs enqueue",
        ("tests/testing/test_testing_draining.py::test_recursion_runs_what_jobs_enqueue",),
    ),
    145: Fact("draining may be limited", ("tests/testing/test_testing_draining.py::test_limit",)),
    146: Fact(
        "a failed job is not drained twice",
        ("tests/testing/test_testing_draining.py::test_failed_tasks_are_not_run_again_in_the_same_drain",),
    ),
    147: Fact(
        "draining leaves other queues alone",
        ("tests/testing/test_testing_draining.py::test_other_queues_are_left_alone",),
    ),
    148: Fact(
        "without recursion one pass is made",
        ("tests/testing/test_testing_draining.py::test_recursion_runs_what_jobs_enqueue",),
    ),
    149: Fact(
        "performing what is no job fails in words",
        (
            "tests/testing/test_testing_performing.py::test_what_cannot_be_a_job_is_refused",
            "tests/testing/test_testing_performing.py::test_result_that_cannot_be_stored_is_refused",
        ),
    ),
    150: Fact(
        "what a performed job raises comes out, after its event",
        ("tests/testing/test_testing_performing.py::test_exceptions_escape_when_telemetry_was_told",),
    ),
    151: Fact(
        "a built job has its defaults",
        (
            "tests/testing/test_testing_performing.py::test_build_job_defaults",
            "tests/testing/test_testing_performing.py::test_build_job_keeps_what_is_given",
            "tests/testing/test_testing_performing.py::test_arguments_and_meta_go_through_json",
        ),
    ),
    152: Fact(
        "a performed job has its timeout",
        ("tests/testing/test_testing_performing.py::test_timeout_is_honoured",),
    ),
    153: Fact(
        "performing stores nothing", ("tests/testing/test_testing_performing.py::test_nothing_is_stored",)
    ),
    154: Fact(
        "inline jobs run where they are enqueued",
        (
            "tests/testing/test_testing_modes.py::test_inline_runs_at_once_and_needs_no_redis",
            "tests/testing/test_testing_modes.py::test_inline_task_that_decides_its_fate",
            "tests/testing/test_testing_modes.py::test_inline_raises_what_a_job_raises",
        ),
    ),
    155: Fact("inline works for many jobs", ("tests/testing/test_testing_modes.py::test_inline_runs_bulk",)),
    156: Fact(
        "a mode holds for its context only",
        (
            "tests/testing/test_testing_modes.py::test_mode_holds_for_the_caller_and_its_tasks_only",
            "tests/testing/test_testing_modes.py::test_modes_nest",
        ),
    ),
    157: Fact(
        "what counts as enqueued, newest first",
        (
            "tests/testing/test_testing_enqueued.py::test_lists_what_waits_newest_first",
            "tests/testing/test_testing_enqueued.py::test_suspended_jobs_are_listed",
            "tests/testing/test_testing_enqueued.py::test_running_and_ended_jobs_are_not_enqueued",
        ),
    ),
    158: Fact(
        "enqueued jobs are found by parts of what they carry",
        ("tests/testing/test_testing_enqueued.py::test_by_function_queue_args_and_meta",),
    ),
    159: Fact(
        "nested parts match as JSON has them",
        (
            "tests/testing/test_testing_matching.py::test_match",
            "tests/testing/test_testing_matching.py::test_mismatch",
        ),
    ),
    160: Fact(
        "a wildcard stands for any value that is there",
        (
            "tests/testing/test_testing_matching.py::test_match",
            "tests/testing/test_testing_matching.py::test_mismatch",
        ),
    ),
    161: Fact(
        "moments match within a second, or a delta",
        ("tests/testing/test_testing_enqueued.py::test_by_the_moment_it_is_due",),
    ),
    162: Fact(
        "delays match within a second, or a delta",
        ("tests/testing/test_testing_enqueued.py::test_by_the_delay_from_now",),
    ),
    163: Fact(
        "a timed look waits for a job; a timed refusal waits all the time",
        (
            "tests/testing/test_testing_enqueued.py::test_assert_waits_until_it_is_enqueued",
            "tests/testing/test_testing_enqueued.py::test_assert_returns_at_once_when_it_is_there",
            "tests/testing/test_testing_enqueued.py::test_refute_waits_the_whole_time",
        ),
    ),
    164: Fact(
        "a failed look tells what was found",
        ("tests/testing/test_testing_enqueued.py::test_failure_shows_the_filter_and_what_was_found",),
    ),
    165: Fact(
        "ended jobs are not enqueued",
        ("tests/testing/test_testing_enqueued.py::test_running_and_ended_jobs_are_not_enqueued",),
    ),
    166: Fact(
        "test modes start nothing",
        (
            "tests/testing/test_testing_modes.py::test_modes_start_nothing",
            "tests/testing/test_testing_draining.py::test_no_worker_starts",
        ),
    ),
    167: Fact(
        "many jobs come as any iterable and go in order", ("tests/test_unique.py::test_many_of_all_shapes",)
    ),
    168: Fact(
        "one wrong job of many stores none", ("tests/test_unique.py::test_one_that_cannot_be_written",)
    ),
    169: Fact("many jobs take options", ("tests/test_unique.py::test_many_with_options",)),
    170: Fact("many jobs take options of the call", ("tests/test_unique.py::test_many_with_options",)),
    171: Fact(
        "a job of a transaction appears with its commit",
        (
            "tests/outbox/test_outbox_commit.py::test_job_is_in_redis_when_the_commit_returns",
            "tests/outbox/test_outbox_commit.py::test_rollback_leaves_nothing",
            "tests/outbox/test_outbox_commit.py::test_savepoint_that_is_rolled_back_takes_its_jobs",
            "tests/outbox/test_outbox_relay.py::test_committed_jobs_are_pushed_and_marked",
        ),
        instead="With a ledger: its row is written in the transaction, and pushed to Redis after the commit.",
    ),
    172: Fact(
        "what cannot be enqueued raises", ("tests/test_enqueue.py::test_bad_call_is_refused_in_the_caller",)
    ),
    173: Fact(
        "the start and stop of a job are told with their times",
        (
            "tests/test_worker_tasks.py::test_states_of_the_ends",
            "tests/runtime/test_runtime_telling.py::test_start_has_the_job",
            "tests/runtime/test_runtime_telling.py::test_stop_has_the_times",
            "tests/telemetry/test_telemetry_events.py::test_life_of_a_job_in_order",
        ),
        instead=(
            "Memory and reductions are figures of the Erlang machine; durations are whole "
            "milliseconds, so a fast job's may be 0."
        ),
    ),
    174: Fact(
        "a failure is told as an exception, the last one as discarded",
        (
            "tests/test_worker_tasks.py::test_failed_job_waits_for_its_back_off",
            "tests/test_worker_tasks.py::test_states_of_the_ends",
            "tests/runtime/test_runtime_telling.py::test_failure_is_told_before_the_stop",
            "tests/telemetry/test_telemetry_events.py::test_last_failure_of_a_task",
            "tests/telemetry/test_telemetry_names.py::test_exception_shows_its_traceback_when_asked",
        ),
    ),
    175: Fact(
        "cancelled, snoozed and discarded are told on the stop",
        (
            "tests/test_worker_tasks.py::test_job_that_gives_up",
            "tests/test_worker_tasks.py::test_snooze",
            "tests/runtime/test_runtime_telling.py::test_what_is_a_failure",
            "tests/telemetry/test_telemetry_events.py::test_fate_of_a_task",
        ),
    ),
    176: Fact(
        "the time in the queue is never negative",
        (
            "tests/runtime/test_runtime_telling.py::test_waiting_time_is_never_negative",
            "tests/telemetry/test_telemetry_events.py::test_times_of_a_job",
        ),
    ),
    177: Fact(
        "a handler that raises breaks no job",
        ("tests/telemetry/test_telemetry_events.py::test_handler_that_raises_breaks_no_job",),
    ),
    178: Fact(
        "the default logger's line has its fields",
        (
            "tests/telemetry/test_telemetry_logger.py::test_line_of_a_stop",
            "tests/telemetry/test_telemetry_logger.py::test_line_of_an_exception",
            "tests/telemetry/test_telemetry_logger.py::test_arguments_are_shown_only_if_asked_for",
        ),
    ),
    179: Fact(
        "the default logger can be narrowed",
        (
            "tests/telemetry/test_telemetry_logger.py::test_categories",
            "tests/telemetry/test_telemetry_logger.py::test_fields_are_on_the_record",
            "tests/telemetry/test_telemetry_logger.py::test_logger_of_some_queues",
        ),
    ),
    180: Fact(
        "changes of the leader and orphans are logged, and nothing else of them",
        (
            "tests/telemetry/test_telemetry_logger.py::test_changes_of_the_leader_are_lines",
            "tests/telemetry/test_telemetry_logger.py::test_shutdown_without_orphans_is_no_line",
        ),
    ),
    181: Fact(
        "services tell what they did",
        (
            "tests/telemetry/test_telemetry_logger.py::test_services_tell_their_counts_and_errors",
            "tests/telemetry/test_telemetry_logger.py::test_service_that_keeps_failing_is_told_once",
        ),
    ),
    182: Fact(
        "what is done to jobs is told",
        (
            "tests/test_enqueue.py::test_each_enqueued_job_is_an_event",
            "tests/outbox/test_outbox_by_hand.py::test_audit_tells_what_is_done_by_hand",
            "tests/telemetry/test_telemetry_workers.py::test_pruning_tells_its_count",
        ),
    ),
    183: Fact(
        "a worker tells its start",
        ("tests/telemetry/test_telemetry_events.py::test_worker_tells_its_process_and_its_size",),
    ),
    184: Fact(
        "services tell their ticks and their failures",
        (
            "tests/telemetry/test_telemetry_spans.py::test_span_tells_start_and_stop",
            "tests/telemetry/test_telemetry_spans.py::test_span_raises_on",
            "tests/telemetry/test_telemetry_workers.py::test_rescue_tells_jobs_by_worker",
            "tests/telemetry/test_telemetry_workers.py::test_pruning_tells_its_count",
            "tests/telemetry/test_telemetry_workers.py::test_cron_tells_what_it_fired",
        ),
    ),
    185: Fact(
        "the dashboard tells its actions",
        (
            "tests/telemetry/test_telemetry_logger.py::test_second_logger_replaces_the_first",
            "tests/dashboard/test_dashboard_app.py::test_action_is_told_with_who_did_it",
        ),
    ),
    186: Fact(
        "the dashboard refuses what is not allowed",
        (
            "tests/dashboard/test_dashboard_guard.py::test_reader_changes_nothing",
            "tests/dashboard/test_dashboard_guard.py::test_read_only_dashboard_changes_nothing",
            "tests/dashboard/test_dashboard_auth.py::test_auth_may_wait_and_may_answer",
        ),
    ),
    187: Fact(
        "the dashboard drops filters that mean nothing",
        (
            "tests/dashboard/test_dashboard_jobs_page.py::test_words_of_the_filter_can_be_taken_out_one_by_one",
        ),
        instead="Words stay until somebody takes them out; one that means nothing in a queue is told so.",
    ),
    188: Fact(
        "the dashboard marks what was rescued",
        (),
        instead="The attempt whose worker died is told as lost in the job's timeline and attempts.",
    ),
    189: Fact(
        "the dashboard sorts and keeps its address",
        ("tests/dashboard/test_dashboard_jobs_page.py::test_rail_changes_the_state_and_keeps_the_rest",),
        instead="Jobs are listed newest first only: pages of any other order would cost a scan.",
    ),
    190: Fact(
        "the dashboard finds by parts of arguments",
        (
            "tests/console/test_console_listing.py::test_arguments_tags_and_more_are_found_in_redis",
            "tests/model/test_model_query.py::test_slip_is_answered_in_words",
        ),
        instead="A word that cannot be read is told of and not ignored.",
    ),
    191: Fact(
        "the dashboard limits the completed",
        ("tests/console/test_console_listing.py::test_ledger_lists_the_newest_first_in_pages",),
        instead="All rows are there, in pages that each look at a bounded number of them.",
    ),
    192: Fact(
        "the dashboard edits what may be edited",
        (),
        instead="Jobs are edited by programs: `Inspector.update_job`. The dashboard does not.",
    ),
    193: Fact(
        "the dashboard makes jobs",
        (),
        instead="Jobs are made by programs and `arqlite enqueue`; the dashboard runs cron jobs by hand.",
    ),
    194: Fact(
        "the dashboard survives deleted jobs and odd names",
        (
            "tests/dashboard/test_dashboard_actions.py::test_deleted_job_has_no_page_to_go_back_to",
            "tests/dashboard/test_dashboard_actions.py::test_queue_with_slashes_in_its_key",
        ),
    ),
    195: Fact(
        "the dashboard describes schedules",
        (
            "tests/model/test_model_cronwords.py::test_schedule_in_words",
            "tests/model/test_model_cronwords.py::test_schedule_without_a_good_sentence_stays",
        ),
    ),
}
