/* Sending: what is on the button, in which order, and telling the server once it is really out. */
(function () {
  "use strict";

  var KEPT = "sidebar-outcomes";
  var MOST_KEPT = 50;
  var DONE_MS = 4000;
  var LABELS = { busy: "发送中", done: "已发送" };

  function newKey() {
    if (window.crypto && crypto.randomUUID) return crypto.randomUUID();
    var bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.prototype.map.call(bytes, function (byte) { return ("0" + byte.toString(16)).slice(-2); }).join("");
  }

  function show(button, state) {
    button.dataset.state = state;
    button.disabled = state !== "idle";
    button.setAttribute("aria-busy", state === "busy" ? "true" : "false");
    button.textContent = LABELS[state] || button.dataset.idle;
    if (state !== "idle") button.removeAttribute("aria-label");
  }

  function say(entry, text, isFault) {
    var line = entry.querySelector(".entry-said");
    line.hidden = !text;
    line.textContent = text;
    line.classList.toggle("is-fault", Boolean(isFault));
    return line;
  }

  /* Who is on show: {customer} or {chat}. */
  function whom() {
    var shown = document.querySelector("[data-shown-customer], [data-shown-chat]");
    return { customer: shown && shown.dataset.shownCustomer || "", chat: shown && shown.dataset.shownChat || "" };
  }

  /* outcomes: kept until the server has them; the same key makes telling twice harmless */
  function kept() {
    try { return JSON.parse(localStorage.getItem(KEPT) || "[]"); } catch (error) { return []; }
  }

  function keep(list) {
    try { localStorage.setItem(KEPT, JSON.stringify(list.slice(-MOST_KEPT))); } catch (error) { return; }
  }

  function post(url, data) {
    return fetch(url, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", "X-CSRFToken": document.querySelector("meta[name=csrf-token]").content },
      body: JSON.stringify(data)
    });
  }

  function without(key) {
    keep(kept().filter(function (item) { return item.outcome.key !== key; }));
  }

  async function report(outcome) {
    var owner = document.body.dataset.corp + "/" + document.body.dataset.staff;
    keep(kept().concat([{ owner: owner, outcome: outcome }]));
    try {
      var answer = await post("/sidebar/api/sends", outcome);
      if (answer.ok) { without(outcome.key); return ""; }
      if (answer.status === 401 || answer.status === 429 || answer.status >= 500) return "已发出，记录稍后自动补上";
      without(outcome.key);
      return "已发出，但没有记录：" + (await answer.json()).error.message;
    } catch (error) {
      return "已发出，记录会在网络恢复后自动补上";
    }
  }

  async function flush() {
    var owner = document.body.dataset.corp + "/" + document.body.dataset.staff;
    var mine = kept().filter(function (item) { return item.owner === owner; });
    for (var i = 0; i < mine.length; i += 1) {
      try {
        var answer = await post("/sidebar/api/sends", mine[i].outcome);
        if (answer.status === 401 || answer.status === 429 || answer.status >= 500) return;
        without(mine[i].outcome.key);
      } catch (error) { return; }
    }
  }

  function outcomeOf(entry, parts, options) {
    var outcome = {
      key: options.key || newKey(),
      external_userid: whom().customer,
      chat_id: whom().chat,
      edited: Boolean(options.edited),
      complete: options.complete !== false,
      as_link: Boolean(options.asLink),
      preview: parts.map(function (part) { return part.said; }).join(" ").slice(0, 400)
    };
    outcome[entry.dataset.kind + "_id"] = Number(entry.dataset.id);
    if (entry.dataset.asked) outcome.asked = Number(entry.dataset.asked);
    return outcome;
  }

  async function handOver(entry, parts, button) {
    show(button, "idle");
    var text = parts.map(function (part) { return part.said; }).join("\n");
    var copied = await window.Sidebar.copy(text);
    try {
      await window.Toolbar.openChat(whom());
      say(entry, copied ? "内容已复制，聊天已打开，粘贴即可发送。" : "聊天已打开，请在聊天工具栏里发送。");
    } catch (error) {
      say(entry, copied ? "这里不能直接发送，内容已复制，请到聊天里粘贴。" : "这里不能直接发送，请打开客户聊天后再试。");
    }
    if (entry.dataset.kind === "todo") {
      var mark = document.createElement("button");
      mark.type = "button";
      mark.className = "btn ghost";
      mark.dataset.act = "mark-sent";
      mark.textContent = "我已发送";
      entry.querySelector(".entry-said").appendChild(mark);
    }
  }

  function payloadOf(entry, part, asLink) {
    if (!part.material) return part.payload;
    var from = { external_userid: whom().customer, chat_id: whom().chat, as_link: Boolean(asLink) };
    if (entry.dataset.kind !== "material") from[entry.dataset.kind + "_id"] = Number(entry.dataset.id);
    return window.Materials.payload(part.material, from, function (text) { say(entry, text); });
  }

  /* Sends parts in order; what is out stays out, and a second try goes on where the first one stopped. */
  async function sendParts(entry, parts, button, options) {
    var sendable = parts.filter(function (part) { return part.payload || part.material; });
    if (!sendable.length || button.dataset.state === "busy") return false;
    if (!window.Toolbar.canSend(whom())) { await handOver(entry, sendable, button); return false; }
    var start = options.resume ? Number(button.dataset.out || 0) : 0;
    show(button, "busy");
    say(entry, "");
    for (var i = start; i < sendable.length; i += 1) {
      try {
        await window.Toolbar.send(await payloadOf(entry, sendable[i], options.asLink));
      } catch (error) {
        button.dataset.out = String(i);
        show(button, "idle");
        var before = i ? "前 " + i + " 条已发出，第 " + (i + 1) + " 条没有：" : "没有发出：";
        say(entry, before + (error.plain || window.Toolbar.sentence(error)) + "。", true);
        return false;
      }
    }
    delete button.dataset.out;
    show(button, "done");
    var trouble = await report(outcomeOf(entry, sendable, options));
    if (trouble) say(entry, trouble);
    settle(entry, button, options);
    return true;
  }

  function settle(entry, button, options) {
    if (entry.dataset.kind === "todo" && options.complete !== false) {
      entry.querySelectorAll(".entry-acts .btn").forEach(function (other) { if (other !== button) other.disabled = true; });
      if (!entry.dataset.settled) {
        entry.dataset.settled = "1";
        document.querySelectorAll("[data-todo-count], #tasks [data-count]").forEach(function (count) {
          count.textContent = String(Math.max(0, Number(count.textContent) - 1));
          if (count.classList.contains("tab-count")) count.hidden = count.textContent === "0";
        });
      }
      return;
    }
    setTimeout(function () { if (button.isConnected) show(button, "idle"); }, DONE_MS);
  }

  async function markSent(entry) {
    var button = entry.querySelector("[data-act=send]");
    var trouble = await report(outcomeOf(entry, partsOf(entry), {}));
    say(entry, trouble);
    show(button, "done");
    settle(entry, button, {});
  }

  function partsOf(entry) {
    return JSON.parse(entry.dataset.parts);
  }

  function openEditor(entry) {
    var sheet = document.getElementById("sheet-body");
    window.Sidebar.fill(sheet, document.getElementById("edit-sheet").content.cloneNode(true));
    var parts = partsOf(entry);
    var fields = sheet.querySelector("[data-edit-fields]");
    parts.forEach(function (part, number) {
      if (!part.payload && !part.material) return;
      if (part.material || part.payload.msgtype !== "text") {
        var line = document.createElement("p");
        line.className = "quiet-line";
        line.textContent = "随后发送" + part.name + "：" + part.said;
        fields.appendChild(line);
        return;
      }
      var label = document.createElement("label");
      label.className = "field";
      label.textContent = parts.length > 1 ? "第 " + (number + 1) + " 条" : entry.dataset.title;
      var area = document.createElement("textarea");
      area.rows = 5;
      area.maxLength = 1300;
      area.required = true;
      area.dataset.part = String(number);
      area.value = part.said;
      label.appendChild(area);
      fields.appendChild(label);
    });
    var form = sheet.querySelector("form");
    form.dataset.draft = "edit:" + entry.id;
    window.Forms.restore(form);
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      sendEdited(entry, parts, event.target);
    });
    window.Sidebar.openSheet();
    var first = fields.querySelector("textarea");
    if (first) first.focus();
  }

  async function sendEdited(entry, parts, form) {
    var button = form.querySelector("[type=submit]");
    var fault = form.querySelector(".form-fault");
    var blank = Array.prototype.find.call(form.querySelectorAll("textarea"), function (area) { return !area.value.trim(); });
    if (blank) {
      fault.textContent = "内容不能为空";
      fault.hidden = false;
      blank.focus();
      return;
    }
    var edited = parts.map(function (part, number) {
      var area = form.querySelector('textarea[data-part="' + number + '"]');
      if (!area) return part;
      return { name: part.name, said: area.value, payload: { msgtype: "text", text: { content: area.value } } };
    });
    var changed = edited.some(function (part, number) { return part.said !== parts[number].said; });
    var sent = await sendParts(entry, edited, button, { edited: changed, resume: true });
    var said = entry.querySelector(".entry-said");
    if (sent || !said.classList.contains("is-fault")) {
      window.Sidebar.closeSheet();
      if (sent) {
        window.Forms.forget(form);
        var own = entry.querySelector("[data-act=send]");
        show(own, "done");
        settle(entry, own, {});
      }
      return;
    }
    fault.textContent = said.textContent;
    fault.hidden = false;
  }

  window.Sending = {
    flush: flush,
    newKey: newKey,
    post: post,
    edit: openEditor,
    markSent: markSent,
    sendAll: function (entry, button) { return sendParts(entry, partsOf(entry), button, { resume: true }); },
    sendLink: function (entry, button) { return sendParts(entry, partsOf(entry), button, { asLink: true }); },
    sendOne: function (entry, button) {
      var parts = [partsOf(entry)[Number(button.dataset.part)]];
      return sendParts(entry, parts, button, { complete: false });
    },
    textOf: function (entry, number) { return partsOf(entry)[number].said; },
    say: say
  };
})();
