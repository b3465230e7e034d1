/* Materials on their way out: the server names what the client may send now, uploading to WeCom first where it must. */
(function () {
  "use strict";

  var TRIES = 25;
  var PAUSE_MS = 1000;

  function pause() {
    return new Promise(function (resolve) { setTimeout(resolve, PAUSE_MS); });
  }

  function plain(message) {
    var error = new Error(message);
    error.plain = message;
    return error;
  }

  async function ask(id, from) {
    var answer = await fetch("/sidebar/api/materials/" + id + "/payload", {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", "X-CSRFToken": document.querySelector("meta[name=csrf-token]").content },
      body: JSON.stringify(from)
    });
    var told = await answer.json();
    if (!answer.ok) throw plain(told.error.message);
    return told.data;
  }

  /* from: whom it is for, as_link, and the {script_id} or {todo_id} that names the material. say(text) tells the person what is going on. */
  async function payload(id, from, say) {
    for (var i = 0; i < TRIES; i += 1) {
      var found = await ask(id, from);
      if (found.state === "ready") { say(""); return found.payload; }
      if (found.state === "blocked") throw plain(found.reason);
      say(found.reason + "…");
      await pause();
    }
    throw plain("素材还没有传到企业微信，请过一会儿再发");
  }

  window.Materials = { payload: payload };
})();
