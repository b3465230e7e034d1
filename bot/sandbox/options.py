"""Every figure the local WeCom holds its callers to, in one place.

The defaults are the vendor's documented figures. Where the vendor publishes none, the default is the stricter
reading and the comment says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class Options:
    """Limits and switches of one local WeCom; times in seconds on the sandbox clock unless the name says
    real.

    Source: WeCom docs 90313 (errors), 92137 (welcome), 90253 (media), 90236 (app messages), rate limits
    90454.
    """

    token_ttl_seconds: int = 7200
    ticket_ttl_seconds: int = 7200
    oauth_code_ttl_seconds: int = 300
    user_ticket_ttl_seconds: int = 1800
    welcome_ttl_seconds: float = 20
    archive_notice_seconds: float = 15  # msgaudit_notify at most once in so long
    welcome_send_real_seconds: float = 0.0  # how long one greeting is "being sent" (41096 for the others)
    media_ttl_seconds: int = 3 * 86400
    response_code_ttl_seconds: int = 72 * 3600
    recall_ttl_seconds: int = 24 * 3600

    calls_per_minute: int = 10_000  # per corp and API
    calls_per_hour: int = 150_000
    ip_calls_per_minute: int = 20_000  # per source address and API
    ip_calls_per_hour: int = 600_000
    corp_ticket_calls_per_hour: int = 400
    app_ticket_calls_per_hour: int = 100
    concurrent_calls: int = 30  # unpublished; users report 45033 at hundreds at once
    concurrent_calls_of: dict[str, int] = field(default_factory=lambda: {"externalcontact/mark_tag": 5})
    uploadimg_per_day: int = 1000

    app_messages_per_day_per_account: int = 200  # person-times a day for each account of the corp
    app_messages_per_member_minute: int = 30
    app_messages_per_member_hour: int = 1000
    duplicate_check_max_seconds: int = 14_400

    tag_limit: int = 3000
    contact_way_limit: int = 500_000  # shared by contact-me and group join codes
    temporary_code_limit_per_day: int = 100_000
    group_capacity: int = 200

    mass_dispatch_seconds: float = 1.0  # queries answer 41063 for so long after the creation
    mass_quota_days: int = 0  # 0: as many a month as it has days; 7: seven a week; 1: one a day
    mass_reminders_per_day: int = 3
    moment_job_seconds: float = 2.0  # status 1 and 2 for so long
    moment_jobs_at_once: int = 10  # unpublished; 41078 beyond
    transfer_wait_seconds: int = 86_400
    transfers_in_90_days: int = 2
    group_transfers_per_day: int = 300
    customer_cap: int = 50_000  # per member; a takeover beyond it ends as status 4
    acquisition_range: int = 100  # people behind a link; newer texts say 500
    acquisition_link_limit: int = 100_000  # the vendor names no figure for 41095
    group_welcome_limit: int = 100
    intercept_rule_limit: int = 100
    kf_account_limit: int = 5000
    kf_token_seconds: int = 600
    kf_answers: int = 5
    kf_answer_seconds: int = 48 * 3600
    kf_syncs_without_token_per_minute: int = 20  # unpublished: "much harder"
    kf_kept_seconds: int = 3 * 86_400

    fetch_child_honoured: bool = False  # UNVERIFIED whether the current platform still reads it
    contacts_secret_reads_details: bool = False  # since 2022-08-15 a new address gets 48009
    tag_creator_only_edits: bool = True
    short_pages: bool = False  # cut every second page one short, as the platform may
    group_detail_lag_seconds: float = 0.0  # the platform's detail may lag about two seconds behind the event
    own_changes_call_back: bool = False  # UNVERIFIED for mark_tag and remark; the documented answer is no

    callback_timeout_real_seconds: float = 5.0
    callback_retries: int = 3
    callback_retry_pause_real_seconds: float = 1.0
    callback_threads: int = 12

    threads: int = 40
    log_length: int = 2000
    chat_length: int = 200
    app_message_length: int = 5000
    media_bytes_limit: int = 256 * 1024 * 1024

    def change(self, values: dict[str, Any]) -> None:
        """Set several options by name; ValueError names the first unknown one or a value of another type."""
        known = {f.name for f in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"unknown option {name}")
            wanted = type(getattr(self, name))
            if wanted is float and isinstance(value, int) and not isinstance(value, bool):
                value = float(value)  # noqa: PLW2901  a whole number is a fine number of seconds
            if isinstance(value, bool) is not (wanted is bool) or not isinstance(value, wanted | int | float):
                raise ValueError(f"option {name} wants {wanted.__name__}")
            if wanted is dict and not isinstance(value, dict):
                raise ValueError(f"option {name} wants an object")
            setattr(self, name, value)
