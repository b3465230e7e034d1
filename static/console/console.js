/* The console's own behaviour: navigation, drawer, questions before destructive acts, notices. No framework. */
(() => {
  "use strict";
  const $ = (selector, from = document) => from.querySelector(selector);
  const csrf = () => $('meta[name="csrf-token"]')?.content || "";

  /* Every htmx write carries the token. */
  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRFToken"] = csrf();
  });

  /* One notice at a time; the server sends one with the HX-Trigger event "notice" {text, undo?: url}. */
  let notice_timer = 0;
  const notice = (text, undo) => {
    const box = $("#notice");
    if (!box) return;
    box.textContent = text;
    if (undo) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "btn quiet";
      button.textContent = "撤销";
      button.addEventListener("click", () => window.htmx.ajax("POST", undo, { target: "#main", swap: "none" }));
      box.append(button);
    }
    box.hidden = false;
    clearTimeout(notice_timer);
    notice_timer = setTimeout(() => { box.hidden = true; }, undo ? 10000 : 5000);
  };
  document.addEventListener("notice", (event) => notice(event.detail.text || event.detail.value, event.detail.undo));
  document.addEventListener("htmx:sendError", () => notice("网络已断开，请检查网络后重试"));
  document.addEventListener("htmx:timeout", () => notice("服务器没有及时响应，请重试"));
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, detail } = { xhr: event.detail.xhr, detail: event.detail };
    if (xhr.status === 401) location.assign(`/console/sign-in?to=${encodeURIComponent(location.pathname + location.search)}`);
    if (xhr.status >= 400 && xhr.status !== 401) detail.shouldSwap = true;
  });

  /* Drawer: opened by whatever is swapped into it, closed by Escape or its ground; focus goes back. */
  let opener = null;
  const drawer = () => $("#drawer");
  const close_drawer = () => {
    const box = drawer();
    if (!box || box.hidden) return;
    box.hidden = true;
    $("#drawer-body").replaceChildren();
    opener?.focus();
  };
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.target?.id === "drawer-body" && drawer().hidden) opener = document.activeElement;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "drawer-body") return;
    drawer().hidden = false;
    $("#drawer-body").focus();
  });
  document.addEventListener("close-drawer", close_drawer);

  /* A question before an act: data-ask="title" data-ask-said="what it means". */
  document.addEventListener("htmx:confirm", (event) => {
    const asked = event.detail.elt.dataset.ask;
    if (!asked) return;
    event.preventDefault();
    const box = $("#ask");
    $("#ask-title").textContent = asked;
    $("#ask-said").textContent = event.detail.elt.dataset.askSaid || "";
    $("#ask-yes").textContent = event.detail.elt.dataset.askYes || "确定";
    box.returnValue = "no";
    box.showModal();
    box.addEventListener("close", () => { if (box.returnValue === "yes") event.detail.issueRequest(true); }, { once: true });
  });

  /* Navigation: a sheet on the phone; on the desktop it folds to icons, remembered for this browser. */
  const toggle = () => $('[data-act="nav"]');
  const nav = (open) => {
    $("#nav").classList.toggle("is-open", open);
    $(".nav-ground").hidden = !open;
    toggle().setAttribute("aria-expanded", String(open));
    if (open) $("#nav a")?.focus();
    else toggle().focus();
  };
  const fold = (button) => {
    const folded = document.body.classList.toggle("nav-folded");
    button.setAttribute("aria-pressed", String(folded));
    const safe = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `console_nav=${folded ? "folded" : "wide"}; Path=/console; Max-Age=31536000; SameSite=Lax${safe}`;
  };
  const copy = async (button) => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      notice("已复制");
    } catch {
      const range = document.createRange();
      range.selectNodeContents(button.previousElementSibling);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      notice("浏览器不允许自动复制，已为您选中，请按 Ctrl+C");
    }
  };

  /* Forms: a field that is checked while typing says so to screen readers; a form that comes back faulty puts the
     focus on its first field at fault. */
  const mark_fault = (said) => {
    const control = document.getElementById(said.dataset.faultOf);
    if (said.hidden) control?.removeAttribute("aria-invalid");
    else control?.setAttribute("aria-invalid", "true");
  };
  const focus_first_fault = (from) => {
    const sum = from.querySelector?.("[data-fault-sum]");
    if (sum) document.getElementById(sum.querySelector("a")?.hash.slice(1))?.focus();
  };
  document.addEventListener("htmx:load", (event) => {
    const part = event.detail.elt;
    if (part.dataset?.faultOf) mark_fault(part);
    else focus_first_fault(part);
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    const act = button?.dataset.act;
    if (act === "nav") nav(!$("#nav").classList.contains("is-open"));
    else if (act === "fold") fold(button);
    else if (act === "copy") copy(button);
    else if (act === "close-drawer") close_drawer();
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
    const row = event.target.closest("tr[data-href]");
    if (row && !event.target.closest("a, button, input, label, select") && !String(getSelection())) {
      const link = $("a", row);
      if (link) link.click();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = $("details.menu[open]");
      if (menu) { menu.open = false; $("summary", menu).focus(); }
      else if ($("#nav")?.classList.contains("is-open")) nav(false);
      else close_drawer();
    }
    const box = drawer();
    if (event.key !== "Tab" || !box || box.hidden) return;
    const stops = [...box.querySelectorAll("a[href], button:not([disabled]), input:not([disabled]), select, textarea, [tabindex='0']")];
    if (!stops.length) return;
    const last = stops[stops.length - 1];
    if (event.shiftKey && document.activeElement === stops[0]) { event.preventDefault(); last.focus(); }
    else if (!event.shiftKey && document.activeElement === last) { event.preventDefault(); stops[0].focus(); }
  });
  /* A box that ticks all rows of its form, and how many are ticked. */
  const count_ticks = (form) => {
    const ticked = form.querySelectorAll("[data-tick]:checked").length;
    const said = form.querySelector("[data-ticked]");
    if (said) said.textContent = `已选 ${ticked} 行`;
    for (const bar of form.querySelectorAll("[data-needs-ticks]")) bar.hidden = !ticked;
  };
  document.addEventListener("change", (event) => {
    const form = event.target.form;
    if (event.target.matches("[data-tick-all]")) for (const box of form.querySelectorAll("[data-tick]")) box.checked = event.target.checked;
    if (event.target.matches("[data-tick-all], [data-tick]")) count_ticks(form);
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
  });
  document.addEventListener("error", (event) => {
    if (event.target.matches?.("[data-avatar]")) event.target.remove();
  }, true);
})();
