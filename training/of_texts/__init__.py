"""How the bundled text model was made; `training/text.py` runs it."""
