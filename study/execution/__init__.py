"""From a plan to records: run one spec, queue, locks, recovery, progress, executors."""
