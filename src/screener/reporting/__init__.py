"""What is written about results: result files, pages, audit logs, calibrations."""
