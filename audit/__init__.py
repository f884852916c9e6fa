"""What the model does with the scenes: predictions, attributions, their measures, and the analysis of both.

May import: `scenes` without its Blender side, torch, and the numerical libraries. Never bpy, `scenes.blender` or
`scenes.worker`; `reports` from `audit.cli` alone, hydra and omegaconf from `audit.composition` alone.
This file stays empty, so that importing one table does not import torch.
"""
