"""The experiment store: tables, migrations, queries. Nobody else writes SQL."""
