"""What all parameter types have; users may derive their own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from ..registry import ALL_VERSIONS


class AbstractParameterType(ABC):
    """A type of parameter, known by a sample of it."""

    def __init__(self, sample_input: Any) -> None:
        self.sample_input = sample_input
        self.sample_data_type: type = type(sample_input)

    @abstractmethod
    def deserialize_input(self, input_data: Any) -> Any:
        """Converts a value that came as JSON."""

    @abstractmethod
    def input_to_swagger(self) -> dict[str, Any]:
        """Returns the schema, with the sample as its example."""

    def supported_versions(self) -> list[str]:
        """Returns the versions of Swagger and OpenAPI that can express the sample."""
        if _mixes_types(self.input_to_swagger().get("example")):
            return [version for version in ALL_VERSIONS if version != "2.0"]
        return list(ALL_VERSIONS)


def _mixes_types(example: Any) -> bool:
    """Tells whether there is a list with elements of different types."""
    if isinstance(example, dict):
        return any(_mixes_types(value) for value in example.values())
    if not isinstance(example, (list, tuple)):
        return False
    if len({type(item) for item in example}) > 1:
        return True
    return any(_mixes_types(item) for item in example if isinstance(item, (list, tuple)))
