/* Tells how far the reader got. Totals only, so a lost or repeated message does no harm. Nothing without a ticket. */
(function () {
  "use strict";
  var body = document.body;
  var data = body.dataset;
  var HEARTBEAT_MS = 10000, SOON_MS = 1500, IDLE_MS = 60000, TICK_MS = 1000, MOST_MS = 1800000;
  var state = { pass: "", opening: false, stopped: !data.ticket, engaged: false, active: 0, depth: 0, page: 0, pages: 0, contact: 0 };
  var lastAct = 0, lastTick = 0, lastSent = "", lastSentAt = 0, soon = 0;

  document.addEventListener("error", function (event) {
    if (event.target.matches && event.target.matches("[data-face]")) event.target.remove();
  }, true);

  function seen() { return document.visibilityState === "visible" && !document.prerendering; }

  function message() {
    return JSON.stringify({ p: state.pass, a: Math.round(state.active), d: state.depth, n: state.page, m: state.pages, c: state.contact });
  }

  /* The view counts from here on; after a failure the next heartbeat tries again. */
  function open() {
    if (state.pass || state.opening || state.stopped || !seen()) return;
    state.opening = true;
    fetch("/v/open", { method: "POST", body: JSON.stringify({ t: data.ticket }), credentials: "same-origin", keepalive: true })
      .then(function (answer) {
        if (answer.status !== 200) { state.stopped = answer.status !== 503 && answer.status !== 429; return null; }
        return answer.json();
      })
      .then(function (found) {
        state.opening = false;
        if (!found) return;
        state.pass = found.pass;
        /* Whoever gets this address from the reader is known to have come from here. */
        history.replaceState(history.state, "", location.pathname + "?f=" + found.ref);
        beat();
      })
      .catch(function () { state.opening = false; });
  }

  function beat() {
    if (state.stopped || !state.pass || !state.engaged) return;
    var now = message();
    if (now === lastSent) return;
    lastSent = now;
    lastSentAt = Date.now();
    if (!(navigator.sendBeacon && navigator.sendBeacon("/v/beat", now))) {
      fetch("/v/beat", { method: "POST", body: now, credentials: "same-origin", keepalive: true }).catch(function () { lastSent = ""; });
    }
  }

  function beatSoon() {
    if (soon || state.stopped) return;
    soon = setTimeout(function () { soon = 0; beat(); }, Math.max(0, SOON_MS - (Date.now() - lastSentAt)));
  }

  /* From the reader's first act on, time and depth count. */
  function act() {
    lastAct = Date.now();
    if (!state.engaged) { state.engaged = true; lastTick = lastAct; measure(); beatSoon(); }
  }

  var video = document.querySelector("video");
  function isWatching() { return video && !video.paused && !video.ended; }

  function tick() {
    var now = Date.now(), passed = Math.min(now - lastTick, 2 * TICK_MS);
    lastTick = now;
    open();
    if (!state.engaged || !seen()) return;
    if (now - lastAct < IDLE_MS || isWatching()) state.active = Math.min(state.active + passed, MOST_MS);
    if (now - lastSentAt >= HEARTBEAT_MS) beat();
  }

  function deeper(depth) {
    if (!state.engaged || depth <= state.depth) return;
    var before = state.depth;
    state.depth = Math.min(100, depth);
    if ((before < 50 && state.depth >= 50) || state.depth === 100) beatSoon();
  }

  var content = document.getElementById("content");
  function measure() {
    if (!content || !state.engaged) return;
    if (data.kind === "article" || data.kind === "card") {
      var box = content.getBoundingClientRect();
      deeper(Math.floor(100 * Math.min(1, (innerHeight - box.top) / Math.max(1, box.height))));
    } else if (data.kind === "image" || data.kind === "poster") {
      var picture = content.querySelector("img");
      if (picture && picture.complete) deeper(100);
    }
  }

  var sheets = document.querySelectorAll("[data-page]"), place = document.getElementById("place");
  function turned(page) {
    if (page > state.page) { state.page = page; act(); deeper(Math.floor(100 * page / state.pages)); beatSoon(); }
    if (place) place.textContent = "第 " + page + " / " + state.pages + " 页";
  }
  if (sheets.length && window.IntersectionObserver) {
    state.pages = sheets.length;
    state.page = 1;
    var watcher = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) { if (entry.isIntersecting && (state.engaged || entry.target.dataset.page !== "1")) turned(Number(entry.target.dataset.page)); });
    }, { rootMargin: "-50% 0px -50% 0px" });
    sheets.forEach(function (sheet) { watcher.observe(sheet); });
  }
  if (video) {
    video.addEventListener("play", act);
    video.addEventListener("timeupdate", function () { if (video.duration) deeper(Math.floor(100 * video.currentTime / video.duration)); });
    video.addEventListener("ended", function () { deeper(100); });
  }

  function stop() {
    state.stopped = true;
    fetch("/v/forget", { method: "POST", body: JSON.stringify({ p: state.pass }), credentials: "same-origin", keepalive: true });
    history.replaceState(history.state, "", location.pathname);
    document.getElementById("told").textContent = "好的，不再记录您的阅读。";
  }

  var agreed = data.consent !== "ask";
  document.addEventListener("click", function (event) {
    var pressed = event.target.closest("[data-act]");
    var name = pressed ? pressed.dataset.act : "";
    if (name === "object") stop();
    else if (name === "agree") { agreed = true; document.getElementById("told").textContent = "谢谢，您随时可以在隐私说明里关闭记录。"; begin(); act(); }
    else if (name === "fetched" || name === "called") { act(); if (name === "fetched") deeper(100); beat(); }
  });
  document.querySelectorAll("[data-contact]").forEach(function (box) {
    box.addEventListener("toggle", function () { if (box.open) { act(); state.contact = 1; beat(); } });
  });

  function begin() {
    if (state.stopped || !agreed) return;
    lastTick = Date.now();
    open();
    setInterval(tick, TICK_MS);
    ["scroll", "touchstart", "pointerdown", "keydown"].forEach(function (kind) {
      addEventListener(kind, function () { act(); measure(); }, { passive: true });
    });
    document.addEventListener("visibilitychange", function () { if (seen()) { lastTick = Date.now(); open(); } else beat(); });
    document.addEventListener("prerenderingchange", open);
    addEventListener("pagehide", beat);
  }
  begin();
})();
