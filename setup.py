"""Builds the Cython engine; everything static is in pyproject.toml."""

from glob import glob

from Cython.Build import cythonize
from setuptools import Extension, setup

extensions = [
    Extension(
        path.removesuffix(".pyx").replace("/", "."),
        [path],
        include_dirs=["urpo_store/engine"],
        libraries=["pthread", "m"],
        extra_compile_args=["-O3", "-g0", "-Wno-unused-function"],
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
