"""What ``trust/X`` reads, ``measure/fit/X`` fits."""
