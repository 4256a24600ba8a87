"""Several pages of metrics as one."""

from __future__ import annotations

from arqlite.probes.exposition import merged

MAIL = b"""# HELP jobs_total Jobs that ended.
# TYPE jobs_total counter
jobs_total{queue="mail",state="a b"} 3.0
# HELP lag_seconds Lag of the event loop.
# TYPE lag_seconds gauge
lag_seconds 0.5
"""

PICTURES = b"""# HELP jobs_total Jobs that ended.
# TYPE jobs_total counter
jobs_total{queue="pictures",state="a b"} 4.0
# TYPE lag_seconds gauge
lag_seconds 0.6
# TYPE slots gauge
slots 2
"""


def test_families_are_put_together() -> None:
    """Each family is there once, with the samples of all, and what two tell of the process once."""
    assert merged([MAIL, PICTURES]).decode().splitlines() == [
        "# HELP jobs_total Jobs that ended.",
        "# TYPE jobs_total counter",
        'jobs_total{queue="mail",state="a b"} 3.0',
        'jobs_total{queue="pictures",state="a b"} 4.0',
        "# HELP lag_seconds Lag of the event loop.",
        "# TYPE lag_seconds gauge",
        "lag_seconds 0.5",
        "# TYPE slots gauge",
        "slots 2",
    ]


def test_one_page_stays_what_it_is() -> None:
    """A page alone is not changed."""
    assert merged([MAIL]) == MAIL


def test_prometheus_reads_the_page() -> None:
    """The parser of the Prometheus client takes it for what it is."""
    from prometheus_client.parser import text_string_to_metric_families

    found = {
        family.name: family for family in text_string_to_metric_families(merged([MAIL, PICTURES]).decode())
    }

    assert [sample.value for sample in found["jobs"].samples] == [3.0, 4.0]
    assert [sample.value for sample in found["lag_seconds"].samples] == [0.5]
