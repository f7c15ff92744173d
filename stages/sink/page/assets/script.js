// Keys: / asks, j and k move through rows, Enter opens the row's first link. None works while a person types.
const rows = () => [...document.querySelectorAll("tbody tr")];
let at = -1;

function select(step) {
  const all = rows();
  if (all.length === 0) return;
  all[at]?.classList.remove("current");
  at = Math.max(0, Math.min(all.length - 1, at + step));
  all[at].classList.add("current");
  all[at].scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) {
    if (event.key === "Enter" && event.ctrlKey && event.target.form) event.target.form.requestSubmit();
    return;
  }
  if (event.key === "/") { event.preventDefault(); document.getElementById("q")?.focus(); }
  if (event.key === "j") select(1);
  if (event.key === "k") select(-1);
  if (event.key === "Enter" && at >= 0 && event.target === document.body) rows()[at]?.querySelector("a")?.click();
});
