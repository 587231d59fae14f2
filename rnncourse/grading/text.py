"""Text that files and databases can hold."""


def storable(value):
    """Text without lone surrogates, which UTF-8 refuses, and NUL, which PostgreSQL refuses; lists and dicts of it."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(str(key)): storable(item) for key, item in value.items()}
    return value
