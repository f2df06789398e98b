"""A folder of models says what it sees and how far that holds."""
