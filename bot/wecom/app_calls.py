"""The app's own surface: cards that were clicked, the menu. A part of the gateway."""

from collections.abc import Sequence
from typing import Any

from bot.wecom.client import WeComClient
from crm_core.ids import StaffUserId


class AppCalls:
    """Calls about our app's conversation with staff (protocol notes 4.2, doc 90231)."""

    client: WeComClient
    agent_id: int

    def update_card(self, staff: Sequence[StaffUserId], response_code: str, said: str) -> None:
        """Put ``said`` on the buttons of a card. Raises: WeComRefused (60140: used), the WeComError family."""
        body: dict[str, Any] = {
            "userids": list(staff),
            "agentid": self.agent_id,
            "response_code": response_code,
            "button": {"replace_name": said},
        }
        self.client.post("message/update_template_card", body, repeatable=False)

    def publish_menu(self, buttons: Sequence[dict[str, Any]]) -> None:
        """Replace the menu. Raises: the WeComError family."""
        body = {"button": list(buttons)}
        self.client.post("menu/create", body, repeatable=True, params={"agentid": self.agent_id})
