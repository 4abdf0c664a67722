"""The spec as a JSON Schema, so that editors can complete and check it while it is written.

`python -m sweeps.spec_schema` writes `spec.schema.json` anew. The schema knows names, types and
bounds; the parameter of an activation, a user's own functions and the rules that join several keys are
checked elsewhere.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from study.activations import ACTIVATIONS
from study.architectures import ARCHITECTURES
from study.datacards import DATASETS
from sweeps.settings import TRAINING_SETTINGS, Setting, settings_of
from sweeps.spec import SweepSpec

SCHEMA = Path(__file__).with_name("spec.schema.json")
"""Where the schema is published."""

_TYPES = {"whole number": "integer", "number": "number", "switch": "boolean", "name": "string"}


def schema_text() -> str:
    """Return the schema as it is published: a JSON text that ends in a newline."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a spec, draft 2020-12."""
    outermost = SweepSpec.model_json_schema()
    keys, tables = outermost["properties"], outermost["$defs"]
    for table in (outermost, *tables.values()):
        table["description"] = table["description"].partition("\n")[0]
    reference = {"type": "string", "pattern": ":"}
    written = rf"^\s*({'|'.join(ACTIVATIONS)})\s*(\([^()]*\))?\s*$|:"
    activation = _named(ACTIVATIONS, {"type": "string", "pattern": written, "maxLength": 200})
    keys["focus"] |= activation
    keys["activations"]["items"] = activation
    keys["dataset"] |= _named(DATASETS, reference)
    keys["architecture"] |= _named(ARCHITECTURES, reference)

    settings = {name: setting for each in ARCHITECTURES for name, setting in settings_of(each).items()}
    keys["factors"]["properties"] = {name: _factor(name, setting) for name, setting in settings.items()}
    keys["fixed"]["properties"] = {
        name: {"description": setting.meaning, **_values(name, setting)} for name, setting in settings.items()
    }
    keys["fixed"]["properties"]["learning_rate"] = {
        "description": settings["learning_rate"].meaning,
        "anyOf": [_values("learning_rate", settings["learning_rate"]), {"$ref": "#/$defs/FixedRate"}],
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **outermost}


def _named(names: Iterable[str], otherwise: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema that completes known names and leaves room for others."""
    return {"anyOf": [{"enum": list(names)}, otherwise]}


def _factor(name: str, setting: Setting) -> dict[str, Any]:
    values = _values(name, setting)
    properties: dict[str, Any] = {"levels": {"items": values}}
    if setting.numeric:
        properties |= {"low": values, "high": values}
    return {"description": setting.meaning, "$ref": "#/$defs/FactorTable", "properties": properties}


def _values(name: str, setting: Setting) -> dict[str, Any]:
    """Return the schema of one value; bounds only where they are the same for every architecture."""
    if setting.kind == "name":
        return {"enum": list(setting.names)}
    values: dict[str, Any] = {"type": _TYPES[setting.kind]}
    if setting.numeric and name in TRAINING_SETTINGS:
        values["exclusiveMinimum" if setting.open_below else "minimum"] = setting.minimum
        values["exclusiveMaximum" if setting.open_above else "maximum"] = setting.maximum
    return values


if __name__ == "__main__":
    SCHEMA.write_text(schema_text(), encoding="utf-8")
