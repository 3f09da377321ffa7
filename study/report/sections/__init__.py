"""The sections of a study's report, in files that are found by themselves (``study.report.section``)."""
