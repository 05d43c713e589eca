"""Sensitivity: what each constraint and capacity of a spec costs, or why nothing is valid under them.

`explain` searches again with one of them lifted at a time; where there is no mapping at all it asks `ffcore.diagnose`
for the cause and tries what would help. `Inquiry` is the same for whoever may have to stop in between.
"""
