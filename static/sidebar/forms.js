/* Forms and sections: drafts that survive, changes that show at once and roll back, search while typing, the layout. */
(function () {
  "use strict";

  var DRAFTS = "sidebar-drafts";
  var MOST_DRAFTS = 40;
  var body = document.body;

  function each(list, act) { Array.prototype.forEach.call(list, act); }

  /* drafts: what was typed and not yet saved, per person and customer */
  function drafts() {
    try { return JSON.parse(localStorage.getItem(DRAFTS) || "{}"); } catch (error) { return {}; }
  }

  function keepDrafts(all) {
    var keys = Object.keys(all).sort(function (one, other) { return all[other].at - all[one].at; });
    var kept = {};
    keys.slice(0, MOST_DRAFTS).forEach(function (key) { kept[key] = all[key]; });
    try { localStorage.setItem(DRAFTS, JSON.stringify(kept)); } catch (error) { return; }
  }

  function draftKey(name) {
    var shown = document.querySelector("[data-shown-customer], [data-shown-chat]");
    var whom = shown ? shown.dataset.shownCustomer || shown.dataset.shownChat : "";
    return [body.dataset.corp, body.dataset.staff, whom, name].join("/");
  }

  function writable(form) { return form.querySelectorAll("textarea, input[type=text]"); }

  function restore(form) {
    var kept = drafts()[draftKey(form.dataset.draft)];
    if (!kept) return;
    each(writable(form), function (field, place) {
      var text = kept.texts[field.name || place];
      if (text) field.value = text;
    });
  }

  function remember(form) {
    var all = drafts();
    var texts = {};
    var any = false;
    each(writable(form), function (field, place) {
      if (field.value === field.defaultValue) return;
      texts[field.name || place] = field.value;
      any = any || Boolean(field.value);
    });
    delete all[draftKey(form.dataset.draft)];
    if (any) all[draftKey(form.dataset.draft)] = { at: Date.now(), texts: texts };
    keepDrafts(all);
  }

  function forget(form) {
    var all = drafts();
    delete all[draftKey(form.dataset.draft)];
    keepDrafts(all);
  }

  /* changes that show at once; whoever asked for one gets it back when the server refuses */
  var taken = [];

  function showAtOnce(element, request) {
    if (element.matches("[data-vanish]")) {
      var line = element.closest("li");
      line.hidden = true;
      taken.push({ request: request, undo: function () { line.hidden = false; } });
    } else if (element.matches("form[data-optimistic]")) {
      var sheet = document.getElementById("sheet");
      var name = document.querySelector("[data-stage] span");
      var before = name ? name.textContent : "";
      var chosen = element.querySelector("input[name=stage]:checked");
      if (name && chosen) name.textContent = chosen.parentNode.textContent.trim();
      sheet.hidden = true;
      taken.push({ request: request, undo: function () { sheet.hidden = false; if (name) name.textContent = before; } });
    }
  }

  function settled(request, ok) {
    taken = taken.filter(function (change) {
      if (change.request !== request) return true;
      if (!ok) change.undo();
      return false;
    });
  }

  document.addEventListener("htmx:beforeRequest", function (event) { showAtOnce(event.detail.elt, event.detail.xhr); });
  document.addEventListener("htmx:afterRequest", function (event) {
    var form = event.detail.requestConfig.elt.closest("form");
    settled(event.detail.xhr, event.detail.successful);
    if (event.detail.successful && form && form.dataset.draft) forget(form);
  });
  document.addEventListener("htmx:load", function (event) {
    var found = event.target;
    if (!found.querySelectorAll) return;
    each(found.querySelectorAll("form[data-draft]"), restore);
    if (found.matches("form[data-draft]")) restore(found);
  });

  /* search while typing: words, pinyin and its first letters stand beside each name */
  function find(input) {
    var words = input.value.trim().toLowerCase();
    var room = input.closest(".card-body, .sheet-form");
    var any = false;
    each(room.querySelectorAll("[data-find-group]"), function (group) {
      var some = false;
      each(group.querySelectorAll("[data-find-text]"), function (item) {
        item.hidden = Boolean(words) && item.dataset.findText.indexOf(words) < 0;
        some = some || !item.hidden;
      });
      group.hidden = !some;
      any = any || some;
    });
    room.querySelector("[data-find-none]").hidden = any;
  }

  document.addEventListener("input", function (event) {
    var form = event.target.closest("form[data-draft]");
    if (form) remember(form);
    var fault = event.target.form && event.target.form.querySelector(".form-fault");
    if (fault) fault.hidden = true;
    if (event.target.matches("[data-find]")) find(event.target);
  });
  document.addEventListener("change", function (event) {
    var field = event.target;
    if (field.matches("[data-picture-pick]")) takePicture(field);
    if (field.name === "when" && field.form) {
      var own = field.form.querySelector("[data-own-field]");
      own.hidden = !field.matches("[data-own-time]");
      own.querySelector("input").required = !own.hidden;
      if (!own.hidden) own.querySelector("input").focus();
    }
    var twin = field.id && document.querySelector('[data-for="' + field.id + '"]');
    if (twin) twin.setAttribute("aria-pressed", field.checked ? "true" : "false");
  });

  /* a picture is uploaded when it is chosen; the form then only carries its key */
  async function takePicture(input) {
    var place = input.closest("[data-picture]");
    var said = place.querySelector("[data-picture-said]");
    if (!input.files.length) return;
    var data = new FormData();
    data.append("picture", input.files[0]);
    said.textContent = "正在上传…";
    input.disabled = true;
    try {
      var answer = await fetch(input.dataset.picturePick, {
        method: "POST",
        credentials: "same-origin",
        headers: { "X-CSRFToken": document.querySelector("meta[name=csrf-token]").content },
        body: data
      });
      var told = await answer.json();
      if (!answer.ok) throw new Error(told.error.message);
      place.querySelector("input[type=hidden]").value = told.data.key;
      place.querySelector("[data-act]").hidden = false;
      said.textContent = "已上传，保存后生效";
    } catch (error) {
      said.textContent = error instanceof TypeError ? "网络不通，没有上传，请重试" : error.message;
    }
    input.disabled = false;
    input.value = "";
  }

  function dropPicture(button) {
    var place = button.closest("[data-picture]");
    place.querySelector("input[type=hidden]").value = "";
    place.querySelector("[data-picture-said]").textContent = "保存后移除";
    button.hidden = true;
  }

  /* layout: order and folding, remembered per person */
  function layout() {
    var page = document.querySelector("[data-page]");
    var cards = Array.prototype.slice.call(page.querySelectorAll("[data-card]"));
    var tabs = Array.prototype.slice.call(page.querySelectorAll("[data-tab]"));
    return {
      page: page.dataset.page,
      cards: cards.map(function (card) { return card.dataset.card; }),
      folded: cards.filter(function (card) { return card.querySelector(".card-body").hidden; })
        .map(function (card) { return card.dataset.card; }),
      tabs: tabs.map(function (tab) { return tab.dataset.tab; })
    };
  }

  async function keepLayout(undo) {
    try {
      var answer = await window.Sending.post("/sidebar/api/layout", layout());
      if (!answer.ok) throw new Error(String(answer.status));
    } catch (error) {
      undo();
      window.Sidebar.notice("版面没有保存成功，已恢复原样，请稍后再试");
    }
  }

  function setFolded(button, folded) {
    var name = button.getAttribute("aria-label").slice(2);
    document.getElementById(button.getAttribute("aria-controls")).hidden = folded;
    button.setAttribute("aria-expanded", folded ? "false" : "true");
    button.setAttribute("aria-label", (folded ? "展开" : "收起") + name);
  }

  function fold(button) {
    var wasOpen = button.getAttribute("aria-expanded") === "true";
    setFolded(button, wasOpen);
    keepLayout(function () { setFolded(button, !wasOpen); });
  }

  function swapWith(line, up) {
    var other = up ? line.previousElementSibling : line.nextElementSibling;
    if (!other) return false;
    line.parentNode.insertBefore(up ? line : other, up ? other : line);
    return true;
  }

  /* Puts the page's sections in the order of the sheet's list. */
  function obey(list) {
    var kind = list.dataset.order === "tabs" ? "tab" : "card";
    each(list.children, function (line) {
      var section = document.querySelector("#main [data-" + kind + '="' + line.dataset.key + '"]');
      if (section) section.parentNode.appendChild(section);
    });
  }

  function move(button, up) {
    var line = button.closest("li");
    var list = line.parentNode;
    if (!swapWith(line, up)) return;
    obey(list);
    button.focus();
    keepLayout(function () { swapWith(line, !up); obey(list); });
  }

  function arrange() {
    var page = document.querySelector("[data-page]");
    if (page) window.htmx.ajax("GET", "/sidebar/layout/" + page.dataset.page, { target: "#sheet-body" });
  }

  /* scripts: favourites and the keyboard */
  function setFavourite(button, wanted) {
    button.setAttribute("aria-pressed", wanted ? "true" : "false");
    button.querySelector("span").textContent = wanted ? "已收藏" : "收藏";
  }

  async function favourite(button, entry) {
    var wanted = button.getAttribute("aria-pressed") !== "true";
    setFavourite(button, wanted);
    try {
      var answer = await window.Sending.post("/sidebar/api/scripts/" + entry.dataset.id + "/favourite", { wanted: wanted });
      if (!answer.ok) throw new Error((await answer.json()).error.message);
    } catch (error) {
      setFavourite(button, !wanted);
      window.Sending.say(entry, "没有收藏成功，请稍后再试", true);
    }
  }

  function addMessage(button) {
    var list = button.parentNode.querySelector("[data-messages]");
    var fields = list.querySelectorAll("label");
    if (fields.length >= Number(list.dataset.most)) { button.disabled = true; return; }
    var made = fields[0].cloneNode(true);
    made.querySelector("span").textContent = "第 " + (fields.length + 1) + " 条消息";
    made.querySelector("textarea").value = "";
    list.appendChild(made);
    made.querySelector("textarea").focus();
  }

  function walkEntries(event) {
    var texts = Array.prototype.slice.call(document.querySelectorAll("#panel .entry-text"));
    var at = texts.indexOf(event.target);
    var next = event.key === "ArrowDown" ? texts[at + 1] : texts[at - 1];
    if (!next && event.key === "ArrowUp") next = document.querySelector("#panel [type=search]");
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  document.addEventListener("keydown", function (event) {
    var field = event.target;
    var writing = field.matches("input, textarea, select");
    var search = document.querySelector("#panel [type=search]");
    if (!document.getElementById("sheet").hidden) return;
    if (event.key === "/" && !writing && search) { event.preventDefault(); search.focus(); }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp" && event.key !== "Enter") return;
    if (event.key === "Enter") {
      var entry = event.ctrlKey && field.matches(".entry-text") && field.closest("[data-entry]");
      if (entry) { event.preventDefault(); entry.querySelector("[data-act=send]").click(); }
    } else if (field === search || field.matches("#panel .entry-text")) walkEntries(event);
  });

  window.Forms = {
    restore: restore,
    remember: remember,
    forget: forget,
    acts: {
      fold: fold,
      favourite: favourite,
      "add-message": addMessage,
      "drop-picture": dropPicture,
      layout: arrange,
      "move-up": function (button) { move(button, true); },
      "move-down": function (button) { move(button, false); },
      tick: function (button) {
        var box = document.getElementById(button.dataset.for);
        box.click();
      },
      "clear-choice": function (button) {
        each(button.closest("fieldset").querySelectorAll("input[type=radio]"), function (choice) { choice.checked = false; });
      }
    }
  };
})();
