"""Prints what pyproject.toml asks for: to build, to run, and for the extras named.

The packages are installed before scorehost itself, which is then built many times without
looking for them again. Python 3.10 has no tomllib; pip brings a copy of it.
"""

import sys

try:
    import tomllib
except ImportError:
    from pip._vendor import tomli as tomllib  # type: ignore[no-redef]


def main(extras: list[str]) -> None:
    with open("pyproject.toml", "rb") as file:
        pyproject = tomllib.load(file)
    project = pyproject["project"]
    wanted = [*pyproject["build-system"]["requires"], *project["dependencies"]]
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    print(*wanted, sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
