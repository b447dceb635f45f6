"""Heatmaps as HTML for pages and notebooks, and as files."""
