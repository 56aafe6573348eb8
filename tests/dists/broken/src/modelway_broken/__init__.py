"""A plugin that cannot be imported, as one is whose own dependency is missing."""

raise ImportError("libabsent.so.3: cannot open shared object file")
