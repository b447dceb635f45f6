"""The changed options of all methods, as the JSON that the page and its links carry."""

import json

from ..errors import Refusal
from ..methods import METHODS

#: What a field shows for an option whose default is the method's own choice.
DEFAULT = "default"

#: {method: {option: value}} of what was changed.
Changed = dict[str, dict[str, object]]


def read_options(text: str) -> Changed:
    """The options in `text`; an empty dictionary if any part of it is not known."""
    try:
        changed: Changed = {}
        for method, options in json.loads(text).items():
            for name, value in options.items():
                changed.setdefault(method, {}).update(METHODS[method].read({name: value}))
        return changed
    except (ValueError, AttributeError, KeyError, TypeError, Refusal):
        return {}


def known_options(text: str) -> str:
    """`text` without unknown methods, options and values, in sorted order."""
    return json.dumps(read_options(text), sort_keys=True)


def with_option(text: str, method: str, name: str, value: object) -> str:
    """`text` with one option set. An option at its default is left out.

    Raises `Refusal` if the option does not take the value.
    """
    changed = read_options(text)
    options = METHODS[method].options
    chosen = changed.pop(method, {})
    chosen[name] = read_field(options[name], value)
    different = {}
    for key, number in chosen.items():
        if number != options[key].default:
            different[key] = number
    if different:
        changed[method] = different
    return json.dumps(changed, sort_keys=True)


def read_field(option, value: object) -> object:
    """The value that a field of the page means; its default for an empty field."""
    if isinstance(value, str):
        value = value.strip()
    if value in (None, "", DEFAULT):
        return option.default
    return option.read(value)
