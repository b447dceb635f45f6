"""How the bundled models of pictures were made; `training/vision.py` runs it."""
