/* The page: opening a customer or a group, tabs, sheets, copying, and one sentence when something fails. */
(function () {
  "use strict";

  var main = document.getElementById("main");
  var sheet = document.getElementById("sheet");
  var sheetBody = document.getElementById("sheet-body");
  var cameFrom = null;

  function notice(text) {
    var line = document.getElementById("notice");
    line.textContent = text;
    line.hidden = !text;
  }

  function fill(target, content) {
    target.textContent = "";
    if (content) target.appendChild(content);
  }

  function load(url) {
    main.setAttribute("aria-busy", "true");
    return window.htmx.ajax("GET", url, { target: "#main", swap: "innerHTML" });
  }

  function openCustomer(externalUser) {
    main.dataset.customer = externalUser;
    var todo = new URLSearchParams(location.search).get("todo");
    return load("/sidebar/customers/" + encodeURIComponent(externalUser) + (todo ? "?todo=" + encodeURIComponent(todo) : ""));
  }

  function openGroup(chat) {
    main.dataset.chat = chat;
    return load("/sidebar/groups/" + encodeURIComponent(chat));
  }

  async function open() {
    window.Sending.flush();
    var context = await window.Toolbar.start();
    var given = main.dataset.customer;
    if (context.chat && context.chat !== main.dataset.chat) {
      await openGroup(context.chat);
    } else if (context.externalUser && context.externalUser !== given) {
      await openCustomer(context.externalUser);
    } else if (!given && !main.dataset.chat) {
      await load("/sidebar/start");
      if (context.fault) notice(context.fault);
    }
    document.documentElement.dataset.ready = "1";
    var late = document.createElement("script");
    late.src = main.dataset.late;
    document.body.appendChild(late);
  }

  /* copying */
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch (error) {
      var area = document.createElement("textarea");
      area.value = text;
      area.className = "visually-hidden";
      document.body.appendChild(area);
      area.select();
      var done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }

  /* sheets */
  function openSheet() {
    if (sheet.hidden) cameFrom = document.activeElement;
    sheet.hidden = false;
    document.body.style.overflow = "hidden";
    sheetBody.focus();
  }

  function closeSheet() {
    if (sheet.hidden && !sheetBody.firstChild) return;
    sheet.hidden = true;
    document.body.style.overflow = "";
    fill(sheetBody);
    var back = cameFrom && cameFrom.isConnected ? cameFrom : document.querySelector("[data-stage]");
    if (back) back.focus();
    cameFrom = null;
  }

  function keepInside(event) {
    var stops = Array.prototype.filter.call(
      sheetBody.querySelectorAll("button, input:not([type=hidden]), textarea, select, a[href]"),
      function (element) { return !element.disabled && element.offsetParent !== null; }
    );
    if (!stops.length) return;
    var first = stops[0];
    var last = stops[stops.length - 1];
    var outside = !sheetBody.contains(document.activeElement) || document.activeElement === sheetBody;
    if (event.shiftKey && (document.activeElement === first || outside)) { event.preventDefault(); last.focus(); }
    else if (!event.shiftKey && (document.activeElement === last || outside)) { event.preventDefault(); first.focus(); }
  }

  /* tabs */
  function choose(tab) {
    tab.parentNode.querySelectorAll("[role=tab]").forEach(function (other) {
      var chosen = other === tab;
      other.setAttribute("aria-selected", chosen ? "true" : "false");
      other.tabIndex = chosen ? 0 : -1;
    });
    document.getElementById("panel").setAttribute("aria-labelledby", tab.id);
  }

  function walkTabs(event) {
    var tabs = Array.prototype.slice.call(event.target.parentNode.querySelectorAll("[role=tab]"));
    var step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    var at = tabs.indexOf(event.target);
    var next = event.key === "Home" ? tabs[0] : event.key === "End" ? tabs[tabs.length - 1] : null;
    if (step) next = tabs[(at + step + tabs.length) % tabs.length];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.click();
  }

  /* acts */
  var ACTS = {
    "close-sheet": closeSheet,
    send: function (button, entry) { window.Sending.sendAll(entry, button); },
    "send-link": function (button, entry) { window.Sending.sendLink(entry, button); },
    "send-part": function (button, entry) { window.Sending.sendOne(entry, button); },
    edit: function (button, entry) { window.Sending.edit(entry); },
    "mark-sent": function (button, entry) { window.Sending.markSent(entry); },
    copy: async function (button, entry) {
      var done = await copy(window.Sending.textOf(entry, Number(button.dataset.part)));
      window.Sending.say(entry, done ? "已复制" : "没能复制，请长按文字选择复制", !done);
    },
    expand: function (button, entry) {
      var isOpen = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", isOpen ? "false" : "true");
      entry.querySelector(".entry-more").hidden = isOpen;
    },
    "more-chips": function (button) {
      button.closest("[data-tags]").classList.add("is-open");
      button.remove();
    },
    "fill-reason": function (button) {
      var area = sheetBody.querySelector("textarea[name=reason]");
      area.value = button.textContent;
      area.focus();
    },
    "show-todo": function (link) {
      var entry = document.querySelector(link.getAttribute("href"));
      if (entry) { entry.scrollIntoView({ block: "center" }); entry.querySelector(".entry-text").focus(); }
    }
  };

  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-act]");
    var act = button && (ACTS[button.dataset.act] || window.Forms.acts[button.dataset.act]);
    if (act) {
      if (button.tagName === "A") event.preventDefault();
      act(button, button.closest("[data-entry]"));
    }
    var tab = event.target.closest("[role=tab]");
    if (tab) choose(tab);
  });
  document.addEventListener("keydown", function (event) {
    if (!sheet.hidden && event.key === "Escape") closeSheet();
    else if (!sheet.hidden && event.key === "Tab") keepInside(event);
    else if (event.target.getAttribute && event.target.getAttribute("role") === "tab") walkTabs(event);
  });
  document.addEventListener("error", function (event) {
    if (event.target.matches && event.target.matches("[data-avatar]")) event.target.remove();
  }, true);

  /* htmx */
  document.addEventListener("htmx:configRequest", function (event) {
    event.detail.headers["X-CSRFToken"] = document.querySelector("meta[name=csrf-token]").content;
  });
  document.addEventListener("htmx:beforeSwap", function (event) {
    var status = event.detail.xhr.status;
    if (status < 400) return;
    if (status === 401) { location.reload(); return; }
    var form = event.detail.requestConfig.elt.closest("form");
    if (form && form.querySelector(".form-fault")) {
      faultIn(form, event.detail.serverResponse);
      return;
    }
    if (event.detail.requestConfig.elt.matches("[data-vanish]")) {
      notice(sentenceIn(event.detail.serverResponse));
      return;
    }
    event.detail.shouldSwap = true;
  });
  function sentenceIn(html) {
    var found = new DOMParser().parseFromString(html, "text/html").querySelector("[data-sentence]");
    return found ? found.textContent : "没有保存成功，请重试";
  }
  function faultIn(form, html) {
    var line = form.querySelector(".form-fault");
    line.textContent = sentenceIn(html);
    line.hidden = false;
  }
  ["htmx:sendError", "htmx:timeout"].forEach(function (name) {
    document.addEventListener(name, function (event) {
      var form = event.target.closest && event.target.closest("form");
      var said = "网络不通，请检查后重试";
      if (form && form.querySelector(".form-fault")) faultIn(form, "<p data-sentence>" + said + "</p>");
      else notice(said);
    });
  });
  document.addEventListener("htmx:afterSwap", function (event) {
    notice("");
    if (event.target === sheetBody) openSheet();
    if (event.target === main) {
      main.setAttribute("aria-busy", "false");
      window.scrollTo(0, 0);
    }
  });
  document.addEventListener("htmx:load", function (event) {
    var form = event.target.matches && (event.target.matches("[data-keyed]") ? event.target : event.target.querySelector("[data-keyed]"));
    if (form) form.querySelector("input[name=key]").value = window.Sending.newKey();
  });
  document.addEventListener("sheet-done", closeSheet);
  document.addEventListener("head-changed", function () {
    var head = document.getElementById("head");
    if (head && head.dataset.head) window.htmx.ajax("GET", head.dataset.head, { target: "#head", swap: "outerHTML" });
  });

  /* network */
  function online() {
    document.getElementById("offline").hidden = navigator.onLine !== false;
    if (navigator.onLine !== false) window.Sending.flush();
  }
  window.addEventListener("online", online);
  window.addEventListener("offline", online);

  window.Sidebar = { copy: copy, fill: fill, notice: notice, openSheet: openSheet, closeSheet: closeSheet };
  if (navigator.onLine === false) document.getElementById("offline").hidden = false;
  open();
})();
