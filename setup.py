"""Say which packages are installed; everything else stands in pyproject.toml.

Every package under `explainers` is found by itself. `assets/models` and `assets/examples` travel as
parts of the package, so that an installed copy has the bundled models and photos too.
"""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["explainers", "explainers.*"]),
        "explainers.assets.models",
        "explainers.assets.examples",
    ]
)
