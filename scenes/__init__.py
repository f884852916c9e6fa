"""What to render, and rendering it.

May import: numpy, scipy, pandas, pyarrow, scikit-image, opencv, psutil, rich. Never torch, hydra, audit or reports.
Only `scenes.blender` and `scenes.worker` may import bpy; everything else handles plain data.
"""
