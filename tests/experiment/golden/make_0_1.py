"""Made `run-0.1/` and `outputs.safetensors` beside it, with the code of 3dc338e (version 0.1).

    git worktree add --detach ../old 3dc338e && cd ../old
    OMP_NUM_THREADS=1 PYTHONPATH=.dev:. python THIS_FILE

It writes into `golden/` of the folder in which it runs, and is kept to say where the files are
from: the code of today cannot run it.
"""

# mypy: ignore-errors
import contextlib
import hashlib
import json
import shutil
import sys
from pathlib import Path

import torch
from latentcomp.evaluation import EvaluateRequest, evaluate_phase
from latentcomp.store.corpus_files import write_corpus
from latentcomp.train.compressor import States
from latentcomp.train.plan import TrainPlan
from latentcomp.training import TrainRequest, train_phase
from safetensors.torch import save_file
from tests.train import tiny

from latentcomp.train import checkpoint
from latentcomp.train.loop import compress

HOME = Path("golden")
RUN, TEACHER = HOME / "run-0.1", HOME / "teacher"
TOKENIZER = Path("extract/teachers/lab/teacher")
PLAN = TrainPlan(
    steps=4, documents=1, question_positions=96, rate=1e-3, warm_up=1, save_every=2, seed=3
)
ABOVE = 3
"""The session that is kept died after this step; its last checkpoint is of the one before."""


class Killed(Exception):
    """Ends a session as a kill does, after the checkpoint."""


def make_teacher():
    """32 blocks, for the layers of the phases; 4 wide, for small files."""
    tiny.qwen3(32, hidden=4).save_pretrained(TEACHER)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TOKENIZER / name, TEACHER / name)
    (TEACHER / "latentcomp.json").write_text(json.dumps({"prompt": tiny.PROMPT}))


def train(run, on_step=lambda figures: None):
    request = TrainRequest(
        run, 4, PLAN, reasoner=str(TEACHER), device="cpu", skip_order=True, workers=0
    )
    train_phase(request, on_step)


def stop(figures):
    if figures["step"] == ABOVE:
        raise Killed


def states_of(layers, width):
    """Two documents of 40 and 23 tokens, the same on every machine."""
    generator = torch.Generator().manual_seed(16)
    tokens = torch.tensor([40, 23])
    mask = torch.arange(40)[None] < tokens[:, None]
    h = torch.randn(2, 40, layers, width, generator=generator) * mask[..., None, None]
    chunk = torch.arange(40).expand(2, -1) // 10 * mask
    return States(h, mask, chunk, chunk.clamp(max=2), 17 * chunk)


def outputs(root):
    model = checkpoint.open_checkpoint(root).model().eval()
    with torch.no_grad():
        made = compress(model, states_of(len(model.spec.layers), model.spec.teacher.hidden_size), 4)
    return {"x": made.x_BKR, "z": made.z_BKE, "position": made.position_BK}


def main():
    torch.set_num_threads(1)
    make_teacher()
    tiny.write_run(RUN, TEACHER, tiny.documents(2), tiny.layers(3, 15, 27))
    write_corpus(RUN / "corpus", tiny.documents(2), {"preset": "lab", "split": "train"})
    with contextlib.suppress(Killed):
        train(RUN, stop)
    whole = shutil.copytree(RUN, HOME / "whole")
    evaluate_phase(
        EvaluateRequest(
            RUN, 4, documents=2, seed=7, teacher=str(TEACHER), reasoner=str(TEACHER), device="cpu"
        )
    )
    shutil.rmtree(RUN / "phases" / "4" / "tensorboard")
    train(whole)
    last = checkpoint.open_checkpoint(whole / "phases" / "4" / "checkpoint").state
    own = outputs(RUN / "phases" / "4" / "checkpoint")
    shipped = outputs(Path("train/shipped/phase-4"))
    tensors = {f"run-0.1/{name}": value for name, value in own.items()}
    tensors |= {f"shipped/{name}": value for name, value in shipped.items()}
    meta = {
        "capability": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "whole_sha256": last.sha256[checkpoint.MODEL],
        "shipped_x_sha256": hashlib.sha256(shipped["x"].numpy().tobytes()).hexdigest(),
    }
    save_file(tensors, HOME / "outputs.safetensors", meta)
    print(meta, last.step, file=sys.stderr)


if __name__ == "__main__":
    main()
