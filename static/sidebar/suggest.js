/* Recommended answers: asks for the card, waits for news of the customer, and stops when nobody looks. */
(function () {
  "use strict";

  var POLL_MS = 5000;
  var AGAIN_MS = 800;
  var shown = null;
  var stream = null;
  var timer = null;
  var wanted = false;
  var turn = 0;
  var last = "";

  function card() { return document.querySelector("[data-suggest]"); }

  function base() {
    var page = document.querySelector("[data-shown-customer]");
    return page ? "/sidebar/customers/" + encodeURIComponent(page.dataset.shownCustomer) + "/suggest" : "";
  }

  function isBusy(target) {
    return Boolean(target.querySelector("[aria-busy=true], #suggest-made")) ||
      !document.getElementById("sheet").hidden;
  }

  function askedIn(target) {
    var inner = target.querySelector("[data-asked]");
    return inner ? inner.dataset.asked : "0";
  }

  function put(target, html) {
    if (html === last && target.innerHTML) return;
    last = html;
    var had = target.contains(document.activeElement) && document.activeElement.closest("[data-entry]");
    var kept = had ? had.id : "";
    target.innerHTML = html;
    target.hidden = !html;
    window.htmx.process(target);
    var back = kept && document.getElementById(kept);
    if (back) back.querySelector(".entry-text").focus();
  }

  function stop() {
    if (stream) stream.close();
    stream = null;
    clearInterval(timer);
    timer = null;
  }

  async function ask(url, target, mine) {
    var answer = await fetch(url, { credentials: "same-origin", headers: { "HX-Request": "true" } });
    if (answer.status === 401 || answer.status === 404) { stop(); return null; }
    if (!answer.ok || mine !== turn || card() !== target) return null;
    return answer.status === 204 ? "" : answer.text();
  }

  /* Words first, meaning after: the first list stands while the second is worked out. */
  async function refresh() {
    var target = card();
    if (!target) return;
    if (isBusy(target)) { wanted = true; setTimeout(again, AGAIN_MS); return; }
    wanted = false;
    turn += 1;
    var mine = turn;
    try {
      var quick = await ask(base() + "?quick=1&seen=" + askedIn(target), target, mine);
      if (quick) put(target, quick);
      var inner = target.querySelector("[data-final]");
      if (quick && inner && inner.dataset.final === "1") return;
      var full = await ask(base(), target, mine);
      if (full === null) return;
      if (isBusy(target)) { wanted = true; setTimeout(again, AGAIN_MS); return; }
      put(target, full);
    } catch (error) {
      return;
    }
  }

  function again() { if (wanted && !document.hidden) refresh(); }

  function poll() {
    if (!timer) timer = setInterval(refresh, POLL_MS);
  }

  function start() {
    stop();
    if (!shown || document.hidden) return;
    refresh();
    if (!window.EventSource) { poll(); return; }
    var mine = new EventSource(base() + "/live");
    stream = mine;
    mine.addEventListener("open", function () { if (mine === stream) { clearInterval(timer); timer = null; } });
    mine.addEventListener("news", refresh);
    mine.addEventListener("error", function () { if (mine === stream) poll(); });
  }

  function attach() {
    var found = card();
    if (found === shown) return;
    shown = found;
    if (found && !document.getElementById("suggest-style")) {
      var style = document.createElement("link");
      style.id = "suggest-style";
      style.rel = "stylesheet";
      style.href = found.dataset.suggest;
      document.head.appendChild(style);
    }
    start();
  }

  async function thumb(button, entry) {
    var off = button.getAttribute("aria-pressed") === "true";
    var all = button.parentNode.querySelectorAll("[data-act=thumb]");
    function press(which) {
      all.forEach(function (one) { one.setAttribute("aria-pressed", one === which ? "true" : "false"); });
    }
    press(off ? null : button);
    var answer = null;
    try {
      answer = await window.Sending.post("/sidebar/api/suggestions/thumb", {
        external_userid: document.querySelector("[data-shown-customer]").dataset.shownCustomer,
        script_id: Number(entry.dataset.id),
        asked: Number(entry.dataset.asked),
        verdict: off ? "" : button.dataset.verdict
      });
    } catch (error) { answer = null; }
    if (answer && answer.ok) { window.Sending.say(entry, off ? "" : "谢谢，排序会参考"); return; }
    press(off ? button : null);
    window.Sending.say(entry, "没有记下，请重试", true);
  }

  window.Forms.acts.thumb = thumb;
  window.Forms.acts["suggest-fold"] = function (button) {
    var body = document.getElementById("suggest-body");
    body.hidden = !body.hidden;
    button.setAttribute("aria-expanded", body.hidden ? "false" : "true");
  };

  document.addEventListener("keydown", function (event) {
    var target = card();
    if (!target || target.hidden || !document.getElementById("sheet").hidden) return;
    var texts = Array.prototype.slice.call(target.querySelectorAll(".entry-text"));
    var at = texts.indexOf(event.target);
    var next = null;
    if (event.altKey && event.key === "ArrowDown" && at < 0) next = texts[0];
    else if (at >= 0 && event.key === "ArrowDown") next = texts[at + 1];
    else if (at >= 0 && event.key === "ArrowUp") next = texts[at - 1];
    if (next) { event.preventDefault(); next.focus(); }
  });
  document.addEventListener("visibilitychange", start);
  window.addEventListener("pagehide", stop);
  document.addEventListener("htmx:afterSwap", attach);
  attach();
})();
