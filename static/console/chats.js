/* An address that ends in #m<position> shows that message, also when it is not on the newest page. */
(() => {
  "use strict";
  const talk = document.querySelector("[data-talk]");
  const wanted = /^#m(\d{1,18})$/.exec(location.hash);
  if (!talk) return;
  if (wanted) {
    const row = document.getElementById(`m${wanted[1]}`);
    if (row) {
      row.classList.add("wanted");
      row.scrollIntoView({ block: "center" });
    } else if (!new URLSearchParams(location.search).has("at")) {
      location.replace(`${talk.dataset.talk}?at=${wanted[1]}#m${wanted[1]}`);
    }
  } else if (!location.search) {
    const last = document.querySelector(".bubbles > li:last-child");
    if (last) last.scrollIntoView({ block: "end" });
  }
})();
