"""How a process that makes batches begins: it serves the training, and gets out of its way."""

import multiprocessing
import os
import threading
from multiprocessing import util
from typing import Final

from .interrupt import ignore_interrupts

NICE: Final = 5
"""Behind the training in the queue for cores: a late batch costs less than a late kernel."""
_LAST: Final = -1000
"""After everything else that is done at the end of a process."""


def begin_worker(worker: int = 0) -> None:
    """As a DataLoader calls it in each of its processes.

    - A Ctrl-C of the terminal reaches it too; it ends with the training and not before it, and
      when the training dies. torch's own watch misses a parent that died first.
    - It is the parallelism: a tokenizer would start a thread for every core in each process, and
      the hundreds of them would keep the training from its core.
    """
    del worker
    ignore_interrupts()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.nice(NICE)

    def wait() -> None:
        if (parent := multiprocessing.parent_process()) is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
    # It has nothing to finish. An interpreter that ends in order ends threads inside of C++ too,
    # and several in ten such processes were aborted by it, with a traceback in the training.
    util.Finalize(None, os._exit, args=(0,), exitpriority=_LAST)
