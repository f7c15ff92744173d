// What pages do beside being read: keys, and parts that are kept fresh. Without this file everything can still be read.

// ---- keys: / asks, j and k move through rows, Enter opens the row, ? lists them. None works while a person types.

const rows = () => [...document.querySelectorAll("main tbody tr")];
const dialog = document.getElementById("keys");
const box = document.getElementById("keys-on");
let at = -1;

function kept(value) {
  try {
    if (value !== undefined) localStorage.setItem("keys", value);
    return localStorage.getItem("keys");
  } catch {
    return value;
  }
}

function select(step) {
  const all = rows();
  if (all.length === 0) return;
  all[at]?.classList.remove("current");
  at = Math.max(0, Math.min(all.length - 1, at + step));
  all[at].classList.add("current");
  all[at].scrollIntoView({ block: "nearest" });
}

const keys = {
  "/": () => document.getElementById("q")?.focus(),
  "?": () => dialog?.showModal(),
  j: () => select(1),
  k: () => select(-1),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form) {
    event.preventDefault();
    event.target.form.requestSubmit();
    return;
  }
  if (typing || event.ctrlKey || event.metaKey || event.altKey || dialog?.open || kept() === "off") return;
  if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
  if (event.key === "Enter" && at >= 0 && event.target === document.body) rows()[at]?.querySelector("a")?.click();
});

if (dialog) {
  const button = document.getElementById("keys-open");
  button.hidden = false;
  button.addEventListener("click", () => dialog.showModal());
  box.checked = kept() !== "off";
  box.addEventListener("change", () => kept(box.checked ? "on" : "off"));
}

// ---- parts with data-live are replaced while the page is looked at; data-live is the pause in seconds

const live = [...document.querySelectorAll("[data-live][id]")].map((part) => part.id);
const pause = Math.min(60, ...live.map((id) => Number(document.getElementById(id).dataset.live) || 5));

async function refresh() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok) return;
  const next = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of live) {
    const now = document.getElementById(id);
    const then = next.getElementById(id);
    const typing = document.activeElement?.matches("input, textarea, select") && now.contains(document.activeElement);
    if (then && now.innerHTML !== then.innerHTML && !typing) now.replaceChildren(...then.childNodes);
  }
}

async function follow(wait) {
  await new Promise((done) => setTimeout(done, wait * 1000));
  let next = pause;
  if (!document.hidden) await refresh().catch(() => { next = 15; });
  follow(next);
}

if (live.length) follow(pause);

// A filter offers the comparisons that fit its column.
const column = document.querySelector("[data-filter-column]");
const comparison = document.querySelector("[data-filter-op]");
function fit() {
  const type = column.selectedOptions[0]?.dataset.type;
  for (const option of comparison.options) {
    option.hidden = option.disabled = !["any", ...(type ? [type] : [])].some((t) => option.dataset.fits.split(" ").includes(t));
  }
  if (comparison.selectedOptions[0]?.disabled) comparison.value = "exact";
}
if (column && comparison) { column.addEventListener("change", fit); fit(); }

// "Copy link" puts the address on the clipboard; without a clipboard it is followed.
document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("[data-copy]");
  if (!link || !navigator.clipboard) return;
  event.preventDefault();
  const text = link.dataset.copy || link.href;
  await navigator.clipboard.writeText(text).then(() => { link.textContent = "Copied"; }, () => { location.href = link.href; });
});

// One menu is open at a time, and Escape closes it.
const menus = () => [...document.querySelectorAll("details.menu[open]")];
document.addEventListener("click", (event) => { for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false; });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const menu of menus()) { menu.open = false; menu.querySelector("summary").focus(); }
});
