"""What the archive's codes mean, and what a person can do. Source: protocol notes 8.1, read 2026-11-22."""

from dataclasses import dataclass

ARCHIVE_PAGE = "管理后台 管理工具 → 会话内容存档"
SMALLER_LIMIT = 301058


@dataclass(frozen=True, slots=True)
class Explanation:
    """says: one sentence; remedy: where to put it right, "" when it passes by itself."""

    says: str
    remedy: str = ""


CODES: dict[int, Explanation] = {
    10000: Explanation("存档库说参数有误", "核对企业 ID 与会话存档的 Secret"),
    10001: Explanation("存档库连不上企业微信", "检查服务器到 qyapi.weixin.qq.com 的网络，或 archive.proxy"),
    10002: Explanation("存档库读不懂企业微信的应答"),
    10003: Explanation("存档库的系统调用失败"),
    10005: Explanation("没有这个文件，或下载期已过"),
    10006: Explanation("存档库解不开这条消息"),
    10008: Explanation("解出的随机密钥不是密钥"),
    10009: Explanation("本机 IP 不在会话存档的可信 IP 中", f"{ARCHIVE_PAGE} → 可信IP地址 加入服务器出口 IP"),
    10010: Explanation("企业微信已不再保存这段数据"),
    10011: Explanation("证书校验失败", "检查服务器时间与代理"),
    301042: Explanation("本机 IP 不在会话存档的可信 IP 中", f"{ARCHIVE_PAGE} → 可信IP地址 加入服务器出口 IP"),
    301048: Explanation("文件已不存在"),
    301052: Explanation("会话存档服务已到期", f"{ARCHIVE_PAGE} → 续费"),
    301053: Explanation("企业没有开通会话存档", f"{ARCHIVE_PAGE} → 开通并设置可存档成员"),
    301058: Explanation("一次要的消息太多"),
    40001: Explanation("会话存档的 Secret 不正确", f"{ARCHIVE_PAGE} → Secret，与环境变量核对"),
    40013: Explanation("企业 ID 不正确", "核对 config.yaml 的 corp_id"),
    41001: Explanation("会话存档的 Secret 不正确", f"{ARCHIVE_PAGE} → Secret，与环境变量核对"),
}


def explain(code: int) -> Explanation:
    """What a code of the library or of WeCom's JSON means."""
    found = CODES.get(code)
    if found is None:
        return Explanation(f"会话存档返回了错误 {code}", "查看企业微信的错误码说明")
    return Explanation(f"{found.says}（{code}）", found.remedy)
