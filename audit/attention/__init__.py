"""Maps against truth: attention overlap, faithfulness and likeness of maps, batched on the device the maps lie on.

Array functions on torch tensors, one spec each in audit.metrics.specs. Knows no network: what has to be asked of one is
handed in as a function. May import audit.metrics and torch.
"""
