"""The model card of a compressor, made from its record alone."""

from ..models.layers import negative
from ..models.names import shown_name
from ..store.format.schema import ModelIdentity
from ..train import checkpoint
from ..train.checkpoint import CheckpointState
from ..train.record import TrialRecord


def model_card(state: CheckpointState) -> str:
    """Markdown with the metadata block that model hubs read."""
    spec, sha256 = state.spec, state.sha256[checkpoint.MODEL]
    layers = ", ".join(str(negative(layer, spec.teacher.blocks)) for layer in spec.layers)
    rows = {
        "compressor": f"{spec.config.kind}, {spec.latent_width} numbers a latent",
        "weights": f"`{sha256}`",
        "teacher": _model(spec.teacher),
        "layers": f"{layers} (`hidden_states[-k]`)",
        "reasoner": _model(spec.reasoner),
        "steps": f"{state.step:,}",
        **(_trial(state.trial) if state.trial else {"trained by": "not recorded"}),
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"""---
library_name: latentcomp
tags: [context-compression, hidden-states]
---
# A compressor of hidden states

It turns the states of one teacher into latents that one frozen reasoner reads in place of the
document. With any other model it is refused. Its measures are not in this card: they are those of
an evaluation (`latentcomp evaluate`), with ceiling, floor and controls.

| | |
|---|---|
{table}

```python
from latentcomp import Compressor, Reasoner

compressor = Compressor.from_pretrained("THIS FOLDER")
latents = compressor.compress("The text of a document.")
answers = Reasoner.from_pretrained(compressor=compressor).ask(latents, ["A question?"])
```
"""


def _model(model: ModelIdentity) -> str:
    revision = f", revision {model.revision}" if model.revision else ""
    return (
        f"{shown_name(model)} ({model.architecture}, {model.blocks} blocks x {model.hidden_size}"
        f"{revision}), weights `{model.weights_sha256}`"
    )


def _trial(trial: TrialRecord) -> dict[str, str]:
    ratios = ", ".join(f"{ratio:g}" for ratio in trial.trained_ratios)
    start = trial.start.origin if trial.start else "not recorded"
    data = ", ".join(f"{name} {value}" for name, value in sorted(trial.data.items()))
    skipped = ", ".join(map(str, trial.skipped)) or "none"
    return {
        "recipe": f"{trial.recipe.name}, seed {trial.seed}, began {start}",
        "tokens per latent": ratios,
        "trained on": data or "not recorded",
        "phases without a verdict then": skipped,
    }
