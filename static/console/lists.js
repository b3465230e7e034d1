/* Lists: the bulk bar follows what is picked; menus of filters stay open while one chooses. */
(() => {
  "use strict";
  const $ = (selector, from = document) => from.querySelector(selector);
  const boxes = () => [...document.querySelectorAll('input[name="who"][form="bulk"]')];

  const show_picked = () => {
    const bar = $("#bulk");
    if (!bar) return;
    const all = boxes();
    const picked = all.filter((box) => box.checked).length;
    const every = $("[data-pick-all]", bar)?.checked;
    $("[data-picked]", bar).textContent = every ? `已选全部 ${bar.dataset.total} 位` : `已选 ${picked} 位`;
    bar.hidden = !picked && !every;
    const head = $("[data-pick-page]");
    if (head) {
      head.checked = all.length > 0 && picked === all.length;
      head.indeterminate = picked > 0 && picked < all.length;
    }
  };
  const pick = (on) => {
    for (const box of boxes()) box.checked = on;
    const every = $("[data-pick-all]");
    if (every && !on) every.checked = false;
    show_picked();
  };

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-pick-page]")) pick(event.target.checked);
    else if (event.target.matches('input[name="who"], [data-pick-all]')) show_picked();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest('[data-act="pick-none"]')) pick(false);
  });
  /* A filter that changed shows other rows: what was picked is void, and so is the remembered query. */
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "list") return;
    const query = $('#bulk input[name="query"]');
    if (query) query.value = location.search.slice(1);
    pick(false);
  });
  document.addEventListener("htmx:pushedIntoHistory", () => {
    const query = $('#bulk input[name="query"]');
    if (query) query.value = location.search.slice(1);
  });
})();

/* Forms that are checked while one types: after a pause the form is sent to its data-checked address, which answers
   with the faults of the fields already touched and a preview, each swapped in its own place. */
(() => {
  "use strict";
  let timer = 0;
  const touched = new Set();
  const check = (form) => {
    form.elements.touched.value = [...touched].join(",");
    window.htmx.ajax("POST", form.dataset.checked, { source: form, swap: "none", values: {} });
  };
  const touch = (event) => {
    const form = event.target.closest?.("form[data-checked]");
    if (!form) return;
    const field = event.target.closest("[data-field]");
    if (field && event.type !== "input") touched.add(field.dataset.field);
    clearTimeout(timer);
    timer = setTimeout(() => check(form), 300);
  };
  document.addEventListener("input", touch);
  document.addEventListener("change", touch);
  document.addEventListener("focusout", touch);
  document.getElementById("sum")?.focus();
})();

/* Global search: "/" goes there, arrows walk the results, Escape leaves. */
(() => {
  "use strict";
  const field = document.getElementById("seek");
  const found = document.getElementById("found");
  if (!field || !found) return;
  const show = (on) => {
    found.hidden = !on;
    field.setAttribute("aria-expanded", String(on));
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      field.focus();
      field.select();
      return;
    }
    const inside = event.target === field || found.contains(event.target);
    if (!inside) return;
    const stops = [field, ...found.querySelectorAll("[data-hit]")];
    const at = stops.indexOf(document.activeElement);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const to = event.key === "ArrowDown" ? Math.min(at + 1, stops.length - 1) : Math.max(at - 1, 0);
      stops[to].focus();
    } else if (event.key === "Escape") {
      show(false);
      field.blur();
    } else if (event.key === "Enter" && event.target === field && stops[1]) {
      event.preventDefault();
      stops[1].click();
    }
  });
  field.addEventListener("focus", () => show(found.childElementCount > 0));
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target === found) show(true);
    else if (event.detail.target.id === "drawer-body") show(false);
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest(".seek")) show(false);
  });
})();
