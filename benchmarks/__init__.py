"""What a decision costs, here and with others, on one workload; `make bench`. No tests: numbers are printed, not asserted."""
