"""mien: which parts of a face tell which emotion."""
