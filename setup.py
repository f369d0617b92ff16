"""Builds the Cython engine; everything static is in pyproject.toml."""

import os
import sys
from glob import glob

from Cython.Build import cythonize
from setuptools import Extension, setup

# -O3, unless CFLAGS ask for something else.
optimize = [] if "-O" in os.environ.get("CFLAGS", "") else ["-O3", "-g0"]

sources = sorted(glob("urpo_store/**/*.pyx", recursive=True))
# What only tests and benchmarks drive is built in place alone, so that no wheel has it.
drivers = sorted(glob("tests/drivers/*.pyx")) if "--inplace" in sys.argv else []

extensions = [
    Extension(
        path.removeprefix("tests/").removesuffix(".pyx").replace("/", "."),
        [path],
        include_dirs=["urpo_store/engine/memory"],
        libraries=["pthread", "m"],
        extra_compile_args=[*optimize, "-Wno-unused-function"],
    )
    for path in sources + drivers
]

setup(
    package_dir={"drivers": "tests/drivers"},
    ext_modules=cythonize(
        extensions,
        nthreads=2,
        compiler_directives={"embedsignature": True, "embedsignature.format": "python"},
    ),
)
