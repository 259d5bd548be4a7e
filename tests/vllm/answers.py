"""Questions that both backends answer, and how far a token of vLLM's is from the likeliest one."""

from dataclasses import replace

import torch

from latentcomp.evaluate.arms.text import ceiling, floor
from latentcomp.evaluate.held_out import held_out
from latentcomp.reasoner.generate import Prefix

TIE = {torch.float32: 1e-3, torch.bfloat16: 0.5}
"""Distance of two logits up to which either token may be taken; in bfloat16 four of its steps
between 16 and 32. Set before it was measured."""


def documents_with_questions(documents=3, questions=5):
    """Held-out documents of the lab, of different lengths."""
    (*read,) = held_out(None, "lab", documents, 1, 4).documents
    return [replace(one, questions=one.questions[:questions]) for one in read]


def asked(documents):
    """The text of every question, by document."""
    return [[question.text for question in one.questions] for one in documents]


def pooled(lm, prefix, size):
    """Vectors that are no token's: the head, then means of `size` embeddings each."""
    head = len(lm.encode(lm.prompt.head))
    body = prefix.x_PD[head:]
    body = body[: len(body) // size * size].reshape(-1, size, body.shape[1]).mean(1)
    return Prefix.counted(torch.cat([prefix.x_PD[:head], body]))


def arms(lm, documents):
    """Ways of giving a document, in text and in vectors."""
    text = ceiling(lm, documents)
    return {
        "ceiling": text,
        "floor": floor(lm, documents),
        "pairs": [pooled(lm, prefix, 2) for prefix in text],
        "eights": [pooled(lm, prefix, 8) for prefix in text],
        "zeros": [Prefix.counted(torch.zeros_like(prefix.x_PD)) for prefix in text],
    }


def gaps(lm, reader, prefixes, questions, most_tokens=16):
    """By token that vLLM generated: how much likelier, in logits, transformers' own choice is
    after the same tokens. 0 where it is the same token."""
    out = []
    for prefix, texts in zip(prefixes, questions, strict=True):
        prompts = reader._prompts([prefix], [texts], most_tokens)
        outputs = reader._generate(prompts, most_tokens, stop=[lm.eos_token_id])
        for x_SD, output in zip(
            reader._prompts([prefix], [texts], most_tokens), outputs, strict=True
        ):
            tokens = torch.tensor(output.token_ids)
            table = lm.model.get_input_embeddings()
            with torch.inference_mode():
                whole = torch.cat([x_SD, table(tokens[:-1]).to(x_SD.dtype)])
                logits = lm.model(inputs_embeds=whole[None]).logits[0, len(x_SD) - 1 :].float()
            out += (logits.max(-1).values - logits.gather(1, tokens[:, None])[:, 0]).tolist()
    return out
