"""What a model really allocates, counted tensor by tensor on the CPU."""

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _Alive(TorchDispatchMode):
    """Bytes of the storages that operations made and that are still alive."""

    def __init__(self, ours):
        super().__init__()
        self.ours = ours
        self.sizes = {}
        self.now = self.peak = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._see(tensor.untyped_storage())
        self.peak = max(self.peak, self.now)
        return result

    def _see(self, storage):
        key, size = storage._cdata, storage.nbytes()
        if key in self.sizes or storage.data_ptr() in self.ours:
            return
        self.sizes[key] = size
        self.now += size
        weakref.finalize(storage, self._gone, key)

    def _gone(self, key):
        self.now -= self.sizes.pop(key)


def _weights(model):
    return {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}


def peak_of_reading(model, documents, tokens):
    """Most bytes alive at once while the base model reads, its weights left out."""
    ids = torch.randint(0, model.config.vocab_size, (documents, tokens))
    alive = _Alive(_weights(model))
    with torch.no_grad(), alive:
        model.base_model(input_ids=ids, use_cache=False)
    return alive.peak


def kept_for_backward(model, documents, tokens):
    """Bytes of all storages that the forward pass of a frozen model keeps, weights left out."""
    shape = (documents, tokens, model.config.hidden_size)
    x = torch.randn(shape, dtype=model.dtype, requires_grad=True)
    ours, kept, sizes = _weights(model), [], {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in ours:
            kept.append(tensor)  # so that no address is used twice
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.base_model(inputs_embeds=x, use_cache=False)
    return sum(sizes.values())
