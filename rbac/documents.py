"""YAML for files that people review: what stands there is all there is.

PyYAML silently keeps the last of two equal keys, and a few aliases make a small file an enormous tree. Its one rule: whatever
is wrong with a text is a YAMLError, a ValueError or a RecursionError.
"""

from __future__ import annotations

from typing import Any

import yaml

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"


class UniqueKeys(_Loader):  # type: ignore[misc]  # the C loader where there is one
    """SafeLoader with unique keys, and without `<<` merges or aliases that a reviewer would have to resolve."""

    def construct_document(self, node: yaml.Node) -> Any:
        _written_out(node)
        try:
            return super().construct_document(node)
        except (KeyError, IndexError, AttributeError, TypeError):  # SafeLoader's own, of `!!bool maybe`, `!!int ''`, `!!timestamp x`
            raise yaml.constructor.ConstructorError(None, None, "a value is not what its tag says", None) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else id(key)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} stands twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)  # type: ignore[no-any-return]


class WrittenOut(yaml.SafeDumper):
    """SafeDumper that writes no alias, where it would for one instant that stands in two places."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _written_out(root: yaml.Node) -> None:
    """Refuse a part that stands in two places, and a merge."""
    seen: set[int] = set()
    left: list[Any] = [root]
    while left:
        node = left.pop()
        if id(node) in seen:
            raise yaml.constructor.ConstructorError(None, None, "an alias repeats what stands here: write it out", node.start_mark)
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            left += node.value
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.tag == _MERGE:
                    raise yaml.constructor.ConstructorError(None, None, "a merge with <<: write it out", key.start_mark)
                left += (key, value)
