"""The numbers behind each picture: surfaces, curves, axes. No plotting, no SQL."""
