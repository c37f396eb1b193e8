"""The web dashboard: pages, figures, components, and the HTTP API beside them."""
