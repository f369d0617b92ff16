"""Builds the Cython engine; everything static is in pyproject.toml."""

import os
from glob import glob

from Cython.Build import cythonize
from setuptools import Extension, setup

# -O3 unless whoever builds has chosen otherwise.
optimize = [] if "-O" in os.environ.get("CFLAGS", "") else ["-O3", "-g0"]

extensions = [
    Extension(
        path.removesuffix(".pyx").replace("/", "."),
        [path],
        include_dirs=["urpo_store/engine/memory"],
        libraries=["pthread", "m"],
        extra_compile_args=[*optimize, "-Wno-unused-function"],
    )
    for path in sorted(glob("urpo_store/**/*.pyx", recursive=True))
]

setup(
    ext_modules=cythonize(
        extensions,
        nthreads=2,
        compiler_directives={"embedsignature": True, "embedsignature.format": "python"},
    )
)
