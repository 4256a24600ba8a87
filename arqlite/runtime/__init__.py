"""The services of a worker: claim, run, acknowledge, keep the lease, rescue, wake, prune."""
