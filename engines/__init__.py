"""Built-in partitioners and assemblers, each a data package in the users' own format.

`catalog` lists them with their files; `demo` has the demo's app, template and input. A package's scripts use the
standard library alone (Python 3.8 and later) and learn everything from the environment, as any user's do.
"""
