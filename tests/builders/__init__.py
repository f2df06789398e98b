"""What tests build: faces, data sets, models, results."""
