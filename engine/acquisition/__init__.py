"""Acquisition functions and their maximisation. Arrays only.

Belongs here: functions of a posterior that say how useful a point is, with gradients, and the search for their maximum.
Doesn't belong: parameters by name, trials, the choice between acquisition functions.
"""
