/* Copying an address: data-copy holds it. */
(() => {
  "use strict";
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const told = button.querySelector("span");
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      told.textContent = "已复制";
    } catch {
      told.textContent = "请手动复制";
    }
    setTimeout(() => { told.textContent = "复制"; }, 2000);
  });
})();
