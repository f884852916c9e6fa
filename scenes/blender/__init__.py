"""The only place that imports bpy: a SceneSpec becomes pixels here. Runs inside worker processes alone."""
