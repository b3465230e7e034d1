"""演一天: plays seeds/day.yaml on the local WeCom, so that the product has a lively day to react to."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from bot.sandbox.acts import ActRefused
from bot.sandbox.clock import CHINA
from bot.sandbox.corp import Corp
from bot.sandbox.fields import Fields
from bot.sandbox.model import ContactWay, Follow, Group
from bot.sandbox.world import World

Json = dict[str, Any]
Step = Callable[[], None]
Perform = Callable[[World, str, Fields], Json]
_SCRIPT = Path(__file__).parent / "seeds" / "day.yaml"
_GREETING_REAL_SECONDS = 6.0
_LOOK_REAL_SECONDS = 0.02
_FOLLOW_REAL_SECONDS = 0.25  # whoever follows the clock file looks at it five times a second
_LINE_SECONDS = 70
_STOP_REAL_SECONDS = 10.0


@lru_cache(maxsize=1)
def _script() -> Json:
    read: Json = yaml.safe_load(_SCRIPT.read_text("utf-8"))
    return read


@dataclass(slots=True)
class _Play:
    """One run: its parts by name (external_userids), where it stands and what the page should look at."""

    corp_id: str
    dice: random.Random
    names: list[str]
    parts: dict[str, Json] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    title: str = ""
    focus: Json = field(default_factory=dict)
    done: int = 0
    steps: int = 1


class Player:
    """Plays one day at a time on a thread of its own. perform: does one act as the admin API would."""

    def __init__(self, world: World, perform: Perform) -> None:
        self._world = world
        self._perform = perform
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._play: _Play | None = None
        self._fault = ""

    @property
    def running(self) -> bool:
        """Whether a day is being played."""
        return self._thread is not None and self._thread.is_alive()

    def as_json(self) -> Json:
        """How far the day has come, what is on, and whom to look at."""
        play = self._play
        return {
            "running": self.running,
            "progress": round(play.done / play.steps, 3) if play else 0.0,
            "title": play.title if play else "",
            "focus": play.focus if play else {},
            "told": len(play.told) if play else 0,
            "fault": self._fault,
        }

    @property
    def transcript(self) -> list[str]:
        """Everything said and done so far, one line each; the same for the same seed."""
        return list(self._play.told) if self._play else []

    def start(self, corp_id: str, *, seed: int = 1, seconds: float = 55.0) -> None:
        """Play the day; ActRefused while one is being played. seconds: of real time it shall take."""
        if self.running:
            raise ActRefused("正在演，先停止再重新开始")
        dice = random.Random(seed)
        taken = {person.name for person in self._world.persons.values()}
        names = [name for name in _script()["names"] if name not in taken] or list(_script()["names"])
        dice.shuffle(names)
        self._play, self._fault = _Play(corp_id, dice, names), ""
        self._stopping.clear()
        self._thread = threading.Thread(
            target=self._run, args=(self._play, seconds), name="sandbox-player", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop after the step under way."""
        self._stopping.set()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join(_STOP_REAL_SECONDS)

    def _run(self, play: _Play, seconds: float) -> None:
        began = time.monotonic()
        scenes = _script()["scenes"]
        play.steps = sum(_length(scene) for scene in scenes)
        day = self._day()
        try:
            for scene in scenes:
                hour, minute = (int(part) for part in scene["at"].split(":"))
                self._go_to(day.replace(hour=hour, minute=minute).timestamp())
                if self._world.clock.followed:
                    self._stopping.wait(_FOLLOW_REAL_SECONDS)
                play.title = f"{scene['at']} {scene['title']}"
                for step in self._steps(play, scene):
                    try:
                        step()
                    except ActRefused as refused:
                        play.told.append(f"（{refused.args[0]}）")
                    play.done += 1
                    if self._stopping.wait(max(began + seconds * play.done / play.steps - time.monotonic(), 0)):
                        return
            play.done = play.steps
        except Exception as fault:
            self._fault = f"{type(fault).__name__}: {fault}"
            raise
        finally:
            self._world.touch()

    def _day(self) -> datetime:
        """Today when the shop has not opened yet, else tomorrow."""
        now = datetime.fromtimestamp(self._world.clock.now(), CHINA)
        hour, minute = (int(part) for part in _script()["opening"].split(":"))
        opening = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        return opening if now < opening else opening + timedelta(days=1)

    def _go_to(self, moment: float) -> None:
        """Move the clock on, never back, once nothing waits to be delivered."""
        self._world.courier.settle(_GREETING_REAL_SECONDS)
        if moment > self._world.clock.now():
            self._world.clock.set_now(moment)
            self._world.touch()

    # one scene
    def _steps(self, play: _Play, scene: Json) -> Iterator[Step]:
        if "scan" in scene:
            yield lambda: self._scan(play, scene["scan"])
        if "with" in scene:
            yield lambda: self._look_at(play, scene["with"])
        for line in _script()["dialogues"].get(scene.get("talk", ""), []):
            yield self._line_step(play, line)
        if {"tags", "remark", "personal_tags"} & set(scene):
            yield lambda: self._note(play, scene)
        for kind, run in (
            ("moment", self._moment), ("company_moment", self._moment), ("mass", self._mass), ("group", self._group),
        ):  # fmt: skip
            if kind in scene:
                yield from run(play, scene[kind])
        if "leave" in scene:
            yield lambda: self._leave(play, scene["leave"])
        if scene.get("idle"):
            yield lambda: play.told.append("打烊")

    def _line_step(self, play: _Play, line: dict[str, str]) -> Step:
        return lambda: self._say(play, line)

    def _do(self, act: str, **body: Any) -> Json:
        play = self._play
        corp_id = play.corp_id if play else ""
        return self._perform(self._world, act, Fields({"corp": corp_id, **body}))

    @property
    def _corp(self) -> Corp:
        return self._world.corps[self._play.corp_id if self._play else ""]

    def _scan(self, play: _Play, spec: Json) -> None:
        """A newcomer scans the code whose memo holds `code`, or is added by hand where no such code is."""
        name = play.names[len(play.parts) % len(play.names)]
        with self._world.lock:
            way = self._way(spec["code"])
            fallback = next(s.userid for s in self._corp.staff.values() if s.serves_customers)
        if way:
            came = self._do("scan", config_id=way.config_id, name=name)
        else:
            came = self._do("add", userid=fallback, name=name)
        play.parts[spec["who"]] = came
        self._focus(play, came["userid"], came["external_userid"], came["person_id"])
        play.told.append(f"{name} 扫码 {spec['code']}")
        self._await_greeting(came["welcome_code"])

    def _way(self, words: str) -> ContactWay | None:
        return next((w for w in reversed(self._corp.ways.values()) if words in w.remark), None)

    def _await_greeting(self, code: str) -> None:
        """A greeting must go out within twenty seconds of the sandbox clock: let it, before time jumps."""
        welcome = self._corp.welcomes.get(code)
        listening = any(a.callback.url for a in self._corp.apps.values())
        until = time.monotonic() + (_GREETING_REAL_SECONDS if listening else 0)
        while welcome and welcome.state != "sent" and time.monotonic() < until and not self._stopping.is_set():
            time.sleep(_LOOK_REAL_SECONDS)

    def _focus(self, play: _Play, userid: str, external: str = "", person: str = "", chat_id: str = "") -> None:
        play.focus = {"userid": userid, "external_userid": external, "person_id": person, "chat_id": chat_id}
        self._world.touch()

    def _look_at(self, play: _Play, spec: Json) -> None:
        follow = self._follow(play, spec)
        self._focus(play, follow.userid, follow.external_userid, follow.person_id)

    def _follow(self, play: _Play, spec: Json) -> Follow:
        """The relation of a part or of a customer by name with the member named (or any other)."""
        with self._world.lock:
            links = self._corp.by_staff.get(spec.get("staff", ""), {})
            if "who" in spec:
                part = play.parts.get(spec["who"], {})
                found = self._corp.follow(part.get("userid", ""), part.get("external_userid", ""))
            else:
                named = [f for f in links.values() if self._world.persons[f.person_id].name == spec["customer"]]
                found = named[0] if named else next(iter(links.values()), None)
        if found is None:
            raise ActRefused("这位客户已经不在了")
        return found

    def _say(self, play: _Play, line: dict[str, str]) -> None:
        """One line between the two in focus."""
        (who, words), focus = next(iter(line.items())), play.focus
        if not focus.get("external_userid"):
            raise ActRefused("没有对话对象")
        person, member = self._world.persons[focus["person_id"]], self._corp.member(focus["userid"])
        content = words.replace("{称呼}", person.name).replace("{员工}", member.name if member else "")
        act = "customer_message" if who == "客户" else "staff_message"
        self._pass_time()
        self._do(act, userid=focus["userid"], external_userid=focus["external_userid"], content=content)
        play.told.append(f"{who}：{content}")

    def _pass_time(self) -> None:
        self._go_to(self._world.clock.now() + (self._play.dice.uniform(0.4, 1.6) if self._play else 1) * _LINE_SECONDS)

    def _note(self, play: _Play, scene: Json) -> None:
        """The member writes down what they learned: remark, corp tags by name, personal tags."""
        focus = play.focus
        person = self._world.persons[focus["person_id"]]
        with self._world.lock:
            known = {t.name: t.id for g in self._corp.groups_of_tags.values() for t in g.tags.values()}
        changes: Json = {"add_tags": [known[name] for name in scene.get("tags", []) if name in known]}
        if "remark" in scene:
            changes["remark"] = scene["remark"].replace("{称呼}", person.name)[:20]
        if "personal_tags" in scene:
            changes["personal_tags"] = scene["personal_tags"]
        self._do("edit_follow", userid=focus["userid"], external_userid=focus["external_userid"], **changes)
        play.told.append(f"{person.name} 备注与标签")

    def _moment(self, play: _Play, spec: Json) -> Iterator[Step]:
        """A member posts, or the console posts and each member publishes; then customers like and comment."""
        posted: Json = {}

        def post() -> None:
            text = {"content": spec["text"]}
            own = isinstance(spec["staff"], str)
            who = {"userid": spec["staff"]} if own else {"userids": spec["staff"]}
            posted.update(self._do("post_moment", text=text, **who))
            for userid in [] if own else spec["staff"]:
                self._do("publish_moment", userid=userid, moment_id=posted["moment_id"])
            play.told.append(f"朋友圈：{spec['text']}")

        def react(number: int) -> None:
            self._react(play, posted["moment_id"], spec, number)

        yield post
        for number in range(spec["likes"]):
            yield lambda n=number: react(n)  # type: ignore[misc]

    def _react(self, play: _Play, moment_id: str, spec: Json, number: int) -> None:
        with self._world.lock:
            moment = self._corp.moments[moment_id]
            pairs = sorted((t.userid, one) for t in moment.tasks.values() for one in t.chosen)
            seen = [p for p in pairs if not self._corp.by_staff[p[0]][p[1]].left_by_customer]
            by_name = sorted(seen, key=lambda p: (p[0], self._world.persons[self._corp.person_of[p[1]]].name))
        if not by_name:
            raise ActRefused("没有客户能看到")
        userid, external = by_name[(number * 7) % len(by_name)]
        person = self._corp.person_of[external]
        self._focus(play, userid, external, person)
        self._do("like_moment", userid=userid, moment_id=moment_id, customer=person)
        if number < len(spec["comments"]):
            words = spec["comments"][number]
            self._do("comment_moment", userid=userid, moment_id=moment_id, customer=person, content=words)
        play.told.append(f"{self._world.persons[person].name} 点赞")

    def _mass(self, play: _Play, spec: Json) -> Iterator[Step]:
        """The console makes a mass message, its members confirm, some customers answer."""
        made: Json = {}

        def create() -> None:
            line = {"msgtype": "text", "text": {"content": spec["text"]}}
            made.update(self._do("console_mass", lines=[line], userids=spec["staff"]))
            play.told.append(f"群发：{spec['text']}")

        def confirm(userid: str) -> None:
            task = self._corp.mass_messages[made["msgid"]].tasks[userid]
            person = self._corp.person_of[next(iter(task.targets))]
            self._focus(play, userid, person=person)
            self._do("confirm_mass", userid=userid, msgid=made["msgid"])
            play.told.append(f"{userid} 确认群发")

        def answer(who: str, words: str) -> None:
            follow = self._follow(play, {"who": who})
            self._focus(play, follow.userid, follow.external_userid, follow.person_id)
            self._say(play, {"客户": words})

        yield create
        for userid in spec["staff"]:
            yield lambda u=userid: confirm(u)  # type: ignore[misc]
        for who, words in spec["answers"].items():
            yield lambda p=who, w=words: answer(p, w)  # type: ignore[misc]

    def _group(self, play: _Play, spec: Json) -> Iterator[Step]:
        """Parts join a group, talk there; `leave` of its former members go."""
        for who in spec["join"]:
            yield lambda w=who: self._join(play, spec["name"], w)  # type: ignore[misc]
        for line in spec["lines"]:
            yield lambda said=line: self._group_line(play, spec["name"], said)  # type: ignore[misc]
        for _ in range(spec.get("leave", 0)):
            yield lambda: self._quit(play, spec["name"])

    def _room(self, words: str) -> Group:
        with self._world.lock:
            found = [g for g in self._corp.groups.values() if words in g.name and not g.dismissed]
            rest = [g for g in self._corp.groups.values() if not g.dismissed]
        if not (found or rest):
            raise ActRefused("没有客户群")
        return (found or rest)[0]

    def _join(self, play: _Play, words: str, who: str) -> None:
        group, part = self._room(words), play.parts.get(who)
        if part is None:
            raise ActRefused("这位客户还没有来")
        self._focus(play, group.owner, "", part["person_id"], group.chat_id)
        self._do("join_group", chat_id=group.chat_id, customer=part["person_id"], scene=1)
        play.told.append(f"{who} 进群")

    def _group_line(self, play: _Play, words: str, line: dict[str, str]) -> None:
        (who, content), group = next(iter(line.items())), self._room(words)
        self._pass_time()
        if who == "员工":
            self._do("staff_message", userid=group.owner, chat_id=group.chat_id, content=content)
        else:
            person = play.parts.get(who, {}).get("person_id", "")
            self._do("customer_message", customer=person, chat_id=group.chat_id, content=content)
        play.told.append(f"群里 {who}：{content}")

    def _quit(self, play: _Play, words: str) -> None:
        group = self._room(words)
        joined = [p.get("external_userid") for p in play.parts.values()]
        former = sorted((m.name, m.id) for m in group.members.values() if m.kind == 2 and m.id not in joined)
        if not former:
            raise ActRefused("没有人要退群")
        self._do("leave_group", chat_id=group.chat_id, member=former[0][1])
        play.told.append(f"{former[0][0]} 退群")

    def _leave(self, play: _Play, spec: Json) -> None:
        follow = self._follow(play, spec)
        self._focus(play, follow.userid, follow.external_userid, follow.person_id)
        self._do("delete_staff_by_customer", userid=follow.userid, external_userid=follow.external_userid)
        play.told.append(f"{self._world.persons[follow.person_id].name} 删除了员工")


def _length(scene: Json) -> int:
    """How many steps a scene has."""
    count = sum(kind in scene for kind in ("scan", "with", "leave", "idle"))
    count += len(_script()["dialogues"].get(scene.get("talk", ""), []))
    count += bool({"tags", "remark", "personal_tags"} & set(scene))
    for kind in ("moment", "company_moment"):
        count += 1 + scene[kind]["likes"] if kind in scene else 0
    if "mass" in scene:
        count += 1 + len(scene["mass"]["staff"]) + len(scene["mass"]["answers"])
    if "group" in scene:
        count += len(scene["group"]["join"]) + len(scene["group"]["lines"]) + scene["group"].get("leave", 0)
    return int(count)
