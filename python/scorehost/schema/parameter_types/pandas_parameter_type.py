"""Parameters that are pandas data frames."""

from __future__ import annotations

import json
import warnings
from io import StringIO
from typing import Any

import pandas as pd

from .abstract_parameter_type import AbstractParameterType
from .shapes import schema_of

_ORIENTS = ("split", "records", "index", "columns", "values", "table")
_TIMES = {"M": "date-time", "m": "timedelta"}


class PandasParameterType(AbstractParameterType):
    """A data frame with as many columns as the sample has.

    ``orient`` is the form that it has in JSON, as pandas names it. Columns
    of the sample's names take the sample's types, unless
    ``enforce_column_type`` is off.
    """

    def __init__(
        self,
        sample_input: Any,
        enforce_column_type: bool = True,
        enforce_shape: bool = True,
        apply_column_names: bool = False,
        orient: str = "records",
    ) -> None:
        if not isinstance(sample_input, pd.DataFrame):
            raise Exception(
                "Invalid sample input provided, must provide a sample Pandas Dataframe."
            )
        if orient not in _ORIENTS:
            raise Exception(
                "Invalid orient provided, must be one of "
                "('split', 'records', 'index', 'columns', 'values', or 'table')"
            )
        if apply_column_names:
            warnings.warn(
                "apply_column_names is a deprecated parameter and will be removed "
                "in a future update",
                DeprecationWarning,
                stacklevel=2,
            )
        super().__init__(sample_input)
        self.enforce_column_type = enforce_column_type
        self.enforce_shape = enforce_shape
        self.apply_column_names = apply_column_names
        self.orient = orient

    def deserialize_input(self, input_data: Any) -> Any:
        """Makes a data frame of a list or dict; a data frame is returned as it is."""
        if isinstance(input_data, pd.DataFrame):
            return input_data
        if not isinstance(input_data, (list, dict)):
            raise Exception(
                f"Error, unable to convert input of type {type(input_data)} into Pandas Dataframe"
            )
        frame = self._read(json.dumps(input_data))
        if self.apply_column_names:
            frame.columns = self.sample_input.columns
        if self.enforce_column_type:
            types = self.sample_input.dtypes.to_dict()
            frame = frame.astype({name: types.get(name, object) for name in frame.columns})
        if self.enforce_shape:
            self._check_shape(frame)
        return frame

    def _read(self, text: str) -> Any:
        # Types are the sample's business; guessing would lose leading zeros.
        exact: dict[str, Any] = {"dtype": False}
        if self.orient == "table":
            exact = {}  # it says what its types are
        elif int(pd.__version__.partition(".")[0]) < 3:
            exact["convert_dates"] = False  # later ones convert none without a type
        return pd.read_json(StringIO(text), orient=self.orient, **exact)

    def _check_shape(self, frame: Any) -> None:
        given, expected = frame.shape[1], self.sample_input.shape[1]
        if given != expected:
            raise ValueError(
                f"Invalid input data frame: data frame has size {given} on dimension #1, "
                f"while expected value is {expected}"
            )

    def input_to_swagger(self) -> dict[str, Any]:
        """Returns the schema, with the sample as its example."""
        example = json.loads(self.sample_input.to_json(orient=self.orient, date_format="iso"))
        schema = schema_of(example)
        for name, dtype in self.sample_input.dtypes.items():
            if dtype.kind in _TIMES:
                for cell in self._cells(schema, str(name)):
                    cell["format"] = _TIMES[dtype.kind]
        schema["example"] = example
        schema["format"] = f"pandas.DataFrame:{self.orient}"
        return schema

    def _cells(self, schema: dict[str, Any], column: str) -> list[dict[str, Any]]:
        """Returns the schemas of a column's values, where the form has such."""
        if self.orient in ("records", "table"):
            rows = [schema["items"] if "items" in schema else schema["properties"]["data"]["items"]]
        elif self.orient == "index":
            rows = list(schema["properties"].values())
        elif self.orient == "columns":
            return list(schema["properties"][column]["properties"].values())
        else:
            return []
        return [row["properties"][column] for row in rows if "properties" in row]
