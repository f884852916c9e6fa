"""What to render, and rendering it.

May import: numpy, pandas, pyarrow, scikit-image, psutil, rich. Never torch, hydra, audit or reports.
Only `scenes.blender` and `scenes.worker` may import bpy; everything else handles plain data.
"""
