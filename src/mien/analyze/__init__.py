"""Photos, folders and videos become answers."""
