"""The JSON Schemas beside `analysis`: valid, and with every field of the records and no other."""

import dataclasses
import json
from pathlib import Path

import jsonschema

ROOT = Path(__file__).parent.parent


def validator_of(name: str, record: type, *parts: type) -> jsonschema.Draft202012Validator:
    """Return the validator of `analysis/<name>.schema.json` once its fields are those of the dataclasses.

    Parameters
    ----------
    name : str
        Of the form.
    record : type
        Dataclass of the whole.
    *parts : type
        Dataclasses within it, all that there are.
    """
    schema = json.loads((ROOT / "analysis" / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert {*schema["$defs"]} == {part.__name__ for part in parts}
    for form, kind in ((schema, record), *((schema["$defs"][part.__name__], part) for part in parts)):
        assert {*form["properties"]} == {*form["required"]}
        assert {*form["properties"]} - {"schema"} == {field.name for field in dataclasses.fields(kind)}
        assert form["additionalProperties"] is False
    return jsonschema.Draft202012Validator(schema)
