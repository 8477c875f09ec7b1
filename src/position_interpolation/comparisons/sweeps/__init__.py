"""Settings of the configuration that an experiment varies, compared on a page in one of three ways.

A sweep over learning rates is a table and a map by rate and steps. Settings of methods alone are a grid, with maps or
lines. Anything else is a choice that the paper leaves open, against ours, which is measured first.
"""
