"""Takes a pandas frame beside a plain parameter and the headers."""

from typing import Any

import pandas as pd
from inference_schema.parameter_types.pandas_parameter_type import (
    PandasParameterType)
from inference_schema.parameter_types.standard_py_parameter_type import (
    StandardPythonParameterType)
from inference_schema.schema_decorators import input_schema, output_schema

SAMPLE = pd.DataFrame({"age": [30, 41], "city": ["Oslo", "Lima"],
                       "income": [10.5, 20.25]})


def init() -> None:
    """Load nothing."""


@input_schema("data", PandasParameterType(SAMPLE))
@input_schema("factor", StandardPythonParameterType(1.5))
@output_schema(PandasParameterType(pd.DataFrame({"score": [0.5]})))
def run(data: Any, request_headers: dict[str, str],
        factor: float = 2.0) -> Any:
    """Score each row."""
    print(list(data.columns), [str(kind) for kind in data.dtypes])
    scores = (data["age"] + data["income"]) * factor
    return {"scores": scores.tolist(), "rows": len(data),
            "tenant": request_headers.get("X-Tenant")}
