"""The stages of a run. Each writes its own tables into the run directory and reads the tables of those before it."""
