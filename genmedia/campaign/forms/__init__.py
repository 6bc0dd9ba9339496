"""Forms that become briefs: one module for each flow that buys, with a function of the flow's name whose parameters are the form.

A form is read far more often than it is carried out, by `genmedia run NAME --help` above all: what only the brief needs is imported in the
function.
"""
