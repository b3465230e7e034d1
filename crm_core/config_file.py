"""Reading config.yaml, and saying what is wrong with it."""

from pathlib import Path
from typing import Any

import yaml
from pydantic_core import ErrorDetails

from crm_core.errors import ConfigInvalid


def read_yaml(path: Path | None) -> tuple[dict[str, Any], list[str]]:
    """What the file holds, with the faults of its form. Raises: ConfigInvalid where it cannot be read at all."""
    if path is None:
        return {}, []
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigInvalid([f"读不到配置文件 {path}：{error.strerror}"]) from None
    except yaml.YAMLError as error:
        raise ConfigInvalid([f"配置文件 {path} 不是合法的 YAML：{error}"]) from None
    if content is None:
        return {}, []
    if not isinstance(content, dict):
        raise ConfigInvalid([f"配置文件 {path} 的最外层应为键值"])
    return {str(key): value for key, value in content.items()}, []


def say_fault(detail: ErrorDetails) -> str:
    """A validation fault in Chinese, with the key it is about."""
    place = ".".join(str(part) for part in detail["loc"]) or "(最外层)"
    if detail["type"] == "extra_forbidden":
        return f"{place}：不认识的键"
    if detail["type"] == "missing":
        return f"{place}：必填"
    return f"{place}：{detail['msg'].removeprefix('Value error, ')}"
