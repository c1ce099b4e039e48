"""The in-process ends: how a training program hands its numbers over.

`run` is the logger for any loop, `transformers` the callback for TRL and transformers, `verl` the
patch of its `Tracking` class. None of them may cost a training step anything that matters, and
none may ever make one fail.
"""
