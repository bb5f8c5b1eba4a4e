"""Start the agent, and leave no trace of it where scripts look for their modules."""

from __future__ import annotations

import gc
import os
import sys

gc.disable()  # nothing here makes cycles, and a collection after a fork would copy every page
HERE = os.path.dirname(os.path.abspath(__file__))
NAME = os.path.basename(HERE)
sys.path[:] = [os.path.dirname(HERE), *(it for it in sys.path if it != HERE)]
serve = __import__(NAME + ".serve", fromlist=["main"])
del sys.path[0]
for name in [it for it in sys.modules if it.split(".")[0] == NAME]:
    del sys.modules[name]

serve.main(sys.argv[1:])
