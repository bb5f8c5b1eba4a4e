"""The program inside a slot: PID 1 of a container or sandbox, and the Python that its tasks are forked from.

It stands alone: standard library only, syntax of Python 3.8, no word of the fabric's other code, since it runs on
whatever interpreter an image holds. `worker.runners.agent_link` is the worker's end.
"""
