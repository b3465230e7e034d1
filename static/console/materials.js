/* Materials and scripts in the console: uploads with progress, the article writer, the live preview of a script. */
(() => {
  "use strict";
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const csrf = () => $('meta[name="csrf-token"]').content;
  const make = (name, text = "", kind = "") => {
    const made = document.createElement(name);
    made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };

  /* One file to the server; tells how far it is. Rejects with a sentence. */
  const send = (url, file, fields, onProgress = () => {}) => new Promise((resolve, reject) => {
    const body = new FormData();
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
    body.append("file", file, file.name || "粘贴的图片.png");
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.setRequestHeader("X-CSRFToken", csrf());
    request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) onProgress(event.loaded / event.total); });
    request.addEventListener("load", () => {
      let told = null;
      try { told = JSON.parse(request.responseText); } catch { told = null; }
      if (told?.ok) resolve(told.data);
      else reject(told?.error?.message || "没有传上去，请重试");
    });
    request.addEventListener("error", () => reject("网络断开了，请重试"));
    request.send(body);
  });
  const MOST = 20 * 1024 * 1024;
  const tooLarge = (file) => (file.size > MOST ? `文件有 ${(file.size / 1048576).toFixed(1)} MB，不能超过 20 MB` : "");

  /* The library: drop, paste or choose several */
  const zone = $("[data-upload]");
  if (zone) {
    const list = $("[data-upload-list]", zone);
    let running = 0;
    const queue = [];
    const show = (line, text, tone) => {
      line.className = tone;
      const said = $(".said", line);
      said.textContent = text;
      return said;
    };
    const start = async (file, line, again) => {
      const bar = $("progress", line);
      const fields = { create: "1", folder_id: zone.dataset.folder };
      if (again) fields.again = "1";
      try {
        const found = await send(zone.dataset.url, file, fields, (part) => { bar.value = part; if (part === 1) show(line, "正在检查…", ""); });
        bar.value = 1;
        if (found.material_id) show(line, found.twins.length ? `已添加；同样的文件还有“${found.twins[0]}”` : "已添加", "is-good");
        else {
          const said = show(line, `已经有同样的文件：“${found.twins.join("”“")}”，没有重复添加`, "");
          const button = make("button", "仍然添加", "btn ghost");
          button.type = "button";
          button.addEventListener("click", () => { queue.push([file, line, true]); next(); });
          said.append(button);
        }
      } catch (reason) { show(line, String(reason), "is-bad"); }
    };
    const next = async () => {
      if (running >= 2 || !queue.length) return;
      running += 1;
      const [file, line, again] = queue.shift();
      await start(file, line, again);
      running -= 1;
      if (!queue.length && !running && $(".is-good", list)) refresh();
      next();
    };
    const refresh = () => window.htmx.ajax("GET", `/console/materials/rows${location.search}`, { target: "#rows", swap: "innerHTML" });
    const take = (files) => {
      for (const file of files) {
        const line = make("li");
        const bar = document.createElement("progress");
        bar.max = 1;
        bar.value = 0;
        bar.setAttribute("aria-label", `${file.name} 的上传进度`);
        line.append(make("span", file.name || "粘贴的图片"), bar, make("span", "", "said"));
        list.append(line);
        const fault = tooLarge(file);
        if (fault) show(line, fault, "is-bad");
        else queue.push([file, line, false]);
      }
      next();
      next();
    };
    document.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("is-over"); });
    document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) zone.classList.remove("is-over"); });
    document.addEventListener("drop", (event) => { event.preventDefault(); zone.classList.remove("is-over"); take(event.dataTransfer.files); });
    document.addEventListener("paste", (event) => { if (event.clipboardData.files.length) take(event.clipboardData.files); });
    $("[data-upload-input]").addEventListener("change", (event) => { take(event.target.files); event.target.value = ""; });
  }

  /* The bar for chosen rows */
  const count_chosen = () => {
    const rows = $("#rows[data-choosing]");
    const bar = rows && $("[data-bulk]", rows);
    if (!bar) return;
    const count = $$('input[name="ids"]:checked', rows).length;
    bar.hidden = !count;
    $("[data-bulk-count]", bar).textContent = String(count);
  };
  document.addEventListener("change", count_chosen);
  document.addEventListener("htmx:afterSwap", count_chosen);
  document.addEventListener("submit", (event) => { if (event.target.matches("#rows")) event.preventDefault(); });

  /* A file field in a form */
  for (const picker of $$("[data-picker]")) {
    const said = $("[data-picker-said]", picker);
    $('input[type="file"]', picker).addEventListener("change", async (event) => {
      const file = event.target.files[0];
      if (!file) return;
      said.textContent = tooLarge(file) || "正在上传…";
      if (tooLarge(file)) return;
      try {
        const found = await send(picker.closest("form").dataset.uploadUrl, file, { wanted: picker.dataset.wanted }, (part) => { said.textContent = `正在上传 ${Math.round(part * 100)}%`; });
        $('input[type="hidden"]', picker).value = found.key;
        said.textContent = `${found.filename}${found.twins.length ? `，与“${found.twins[0]}”是同一个文件` : ""}`;
        const picture = $(".picked", picker);
        if (picture) { picture.src = `/console/materials/files/${found.key}/small`; picture.hidden = false; }
        const named = $('[name="filename"]');
        if (named && picker.dataset.wanted !== "image" && !named.value) named.value = found.filename;
      } catch (reason) { said.textContent = String(reason); }
      event.target.value = "";
    });
  }

  /* The article writer. What it writes is cleaned by the server; it only has to be comfortable. */
  for (const writer of $$("[data-writer]")) {
    const sheet = $(".writer-page", writer);
    const kept = $('input[name="html"]', writer);
    const form = writer.closest("form");
    document.execCommand("defaultParagraphSeparator", false, "p");
    document.execCommand("styleWithCSS", false, "false");
    const keep = () => { kept.value = sheet.innerHTML; };
    const insert_picture = async (file) => {
      const place = make("p", "正在上传图片…");
      sheet.append(place);
      try {
        const found = await send(form.dataset.uploadUrl, file, { wanted: "image" });
        const picture = document.createElement("img");
        picture.dataset.file = found.key;
        picture.src = `/console/materials/files/${found.key}`;
        picture.alt = "";
        place.replaceWith(picture);
        sheet.append(make("p"));
      } catch (reason) { place.textContent = String(reason); }
      keep();
    };
    writer.addEventListener("mousedown", (event) => { if (event.target.closest("[data-write]")) event.preventDefault(); });
    writer.addEventListener("click", (event) => {
      const act = event.target.closest("[data-write]")?.dataset.write;
      if (!act) return;
      sheet.focus();
      if (act === "h2" || act === "blockquote") document.execCommand("formatBlock", false, act);
      else if (act === "link") {
        const url = window.prompt("链接地址", "https://");
        if (url && /^https?:\/\//i.test(url)) document.execCommand("createLink", false, url);
      } else document.execCommand(act, false);
      keep();
    });
    sheet.addEventListener("paste", (event) => {
      event.preventDefault();
      event.stopPropagation();
      const [file] = event.clipboardData.files;
      if (file) { insert_picture(file); return; }
      document.execCommand("insertText", false, event.clipboardData.getData("text/plain"));
    });
    sheet.addEventListener("input", keep);
    $("[data-write-picture]", writer).addEventListener("change", (event) => { if (event.target.files[0]) insert_picture(event.target.files[0]); event.target.value = ""; });
    form.addEventListener("submit", keep);
  }

  /* A script: messages on demand, names to insert, what the customer will see */
  const script = $("[data-script-form]");
  if (script) {
    const preview = $("[data-preview]");
    const draw = () => {
      preview.replaceChildren();
      for (const message of $$("[data-message]", script)) {
        const text = $("textarea", message).value.trim().replaceAll("{昵称}", "王女士").replaceAll("{员工}", "张三");
        const chosen = $("select", message).selectedOptions[0];
        if (text) preview.append(make("p", text, "bubble"));
        if (chosen?.value) preview.append(make("p", chosen.textContent, "bubble is-file"));
      }
      $("[data-more-messages]", script).hidden = !$("[data-message][hidden]", script);
    };
    let last = $("textarea", script);
    script.addEventListener("focusin", (event) => { if (event.target.matches("[data-message] textarea")) last = event.target; });
    script.addEventListener("input", draw);
    script.addEventListener("click", (event) => {
      const name = event.target.closest("[data-insert]");
      if (name) {
        const area = $("textarea", name.closest("[data-message]")) || last;
        area.setRangeText(name.dataset.insert, area.selectionStart, area.selectionEnd, "end");
        area.focus();
        draw();
      }
      if (event.target.closest("[data-more-messages]")) {
        const message = $("[data-message][hidden]", script);
        message.hidden = false;
        $("textarea", message).focus();
        draw();
      }
    });
    draw();
  }
})();
