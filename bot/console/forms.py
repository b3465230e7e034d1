"""Forms that check themselves while somebody types: one way for every form of the console.

A view reads its form through a ``Reading``: each field is cleaned once, and what is wrong with it is kept as one
sentence beside the field. The same view answers the check of a single field (the page sends ``_check=<field>`` after
each change) with nothing but that field's sentence. docs/console.md shows a whole form.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from flask import make_response, render_template, request
from werkzeug.wrappers import Response

from crm_core.errors import Conflict, InputInvalid, NotAllowed, NotFound

T = TypeVar("T")
CHECK_FIELD = "_check"
FAULTY = 422


class Reading:
    """What somebody filled in. ``values``: as typed, to show again; ``faults``: one sentence per field at fault."""

    def __init__(self, form: Mapping[str, str] | None = None) -> None:
        self.values: Mapping[str, str] = request.form if form is None else form
        self.faults: dict[str, str] = {}

    @property
    def checked_field(self) -> str:
        """The field whose check is asked for; "" when the form is sent for good."""
        return self.values.get(CHECK_FIELD, "")

    @property
    def is_good(self) -> bool:
        """Whether the form is sent for good and nothing is wrong with it."""
        return not self.checked_field and not self.faults

    def text(self, name: str, label: str, *, most: int = 200, required: bool = True) -> str:
        """A field's text without surrounding blanks. most: characters."""
        value = self.values.get(name, "").strip()
        if required and not value:
            self.faults[name] = f"请填写{label}"
        elif len(value) > most:
            self.faults[name] = f"{label}最多 {most} 个字，现在是 {len(value)} 个"
        return value

    def whole(self, name: str, label: str, *, least: int, most: int) -> int:
        """A whole number inside its range; ``least`` where it is not one."""
        value = self.values.get(name, "").strip()
        if not value.isdecimal() or not least <= int(value) <= most:
            self.faults[name] = f"{label}应为 {least} 到 {most} 的整数"
            return least
        return int(value)

    def choice(self, name: str, label: str, known: Mapping[T, str], parse: Callable[[str], T]) -> T | None:
        """One of the known choices; None with a fault where it is none. parse raises ValueError for nonsense."""
        try:
            value = parse(self.values.get(name, ""))
        except ValueError:
            value = None
        if value is None or value not in known:
            self.faults[name] = f"请选择{label}"
            return None
        return value

    @contextmanager
    def judging(self, name: str) -> Iterator[None]:
        """What a service refuses inside becomes the fault of the field it names, else of ``name``."""
        try:
            yield
        except (InputInvalid, Conflict, NotAllowed, NotFound) as error:
            self.faults.setdefault(error.field or name, error.message)

    def answer_check(self) -> str:
        """The sentence of the field that is checked, as it stands beside the field."""
        name = self.checked_field
        return render_template("console/fault.html", name=name, fault=self.faults.get(name, ""))

    def answer_faulty(self, template: str, **known: object) -> Response:
        """The form again with every sentence, beside the fields and summed at the top."""
        answer = make_response(render_template(template, values=self.values, faults=self.faults, **known))
        answer.status_code = FAULTY
        return answer
