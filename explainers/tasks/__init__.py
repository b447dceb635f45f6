"""What a model can be asked, one object for each task."""

from .base import Task

__all__ = ["Task"]
