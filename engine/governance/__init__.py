"""Who may do what, and the record of it: actors, actions, audit chain."""
