"""What may be killed half-way goes on: whole files, journals, steps, worker processes, progress."""
