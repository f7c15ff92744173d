// The pages in a real browser. Usage: node browse.mjs DEPS BASE LINK FACTS
// DEPS: folder with node_modules. LINK: the path that `wellhead open` gives. FACTS: JSON with ids that the pages need.
// One line a check, then "N passed, N failed".
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";

const [deps, base, link, factsText] = process.argv.slice(2);
const require = createRequire(`${deps}/`);
const { chromium } = require("playwright-core");
const { default: AxeBuilder } = require("@axe-core/playwright");
const facts = JSON.parse(factsText);
const counts = { passed: 0, failed: 0 };

function check(good, what, detail = "") {
  counts[good ? "passed" : "failed"] += 1;
  if (!good) console.log(`FAIL  ${what}${detail ? `: ${detail}` : ""}`);
}

const pages = ["/", "/connections", "/incidents", `/incidents/${facts.incident}`, `/e/${facts.incident}`,
  "/t/work_items?_size=20", "/t/customers", "/sql?sql=select+type,+count(*)+as+n+from+work_items+group+by+1", "/sql?sql=drop+table+x",
  "/model", "/no-such-page", "/ask?q=which+customers+were+impacted+by+last+Tuesday%27s+incident"].filter((p) => !facts.without?.some((w) => p.startsWith(w)));

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });

async function logIn() {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(base + "/");
  check((await page.textContent("main")).includes("wellhead open"), "without a session the page says how to log in");
  await page.goto(base + link);
  await page.click("button");
  await page.waitForURL(`${base}/`);
  const again = await page.goto(base + link);
  await page.click("button");
  await page.waitForSelector("[role=alert]");
  check(again.ok() && (await page.textContent("main")).includes("used already"), "a link works once");
  const state = await context.storageState();
  check(state.cookies.every((c) => c.httpOnly && c.sameSite === "Strict"), "the cookie is HttpOnly and SameSite=Strict");
  await context.close();
  return state;
}

const storageState = await logIn();

async function eachLook(look) {
  const context = await browser.newContext({ storageState, ...look });
  const page = await context.newPage();
  const foreign = [];
  const errors = [];
  page.on("request", (r) => { if (!r.url().startsWith(base)) foreign.push(r.url()); });
  page.on("console", (m) => { if (m.type() === "error" && !m.text().includes("status of 4")) errors.push(m.text()); });
  page.on("dialog", (d) => { errors.push(`a dialog opened: ${d.message()}`); d.dismiss(); });
  const name = `${look.colorScheme} ${look.viewport.width}`;
  for (const path of pages) {
    await page.goto(base + path);
    const found = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]).analyze();
    check(found.violations.length === 0, `axe, ${path}, ${name}`,
      found.violations.map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 160)}`).join("; "));
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    check(wide <= 0, `${path} fits ${name}`, `${wide} px too wide`);
  }
  check(foreign.length === 0, `no request leaves the origin, ${name}`, foreign[0]);
  check(errors.length === 0, `no error on the console, ${name}`, errors[0]);
  await context.close();
}

for (const colorScheme of ["light", "dark"]) {
  for (const width of [320, 1280]) await eachLook({ colorScheme, viewport: { width, height: 900 } });
}

// ---- twins: a page's rows are those of its .json

async function twin(path) {
  const context = await browser.newContext({ storageState });
  const page = await context.newPage();
  await page.goto(base + path);
  const shown = await page.$$eval("tbody tr", (rows) => rows.length);
  const [plain, query] = path.split("?");
  const json = await (await context.request.get(`${base}${plain === "/" ? "/index" : plain}.json${query ? `?${query}` : ""}`)).json();
  const rows = Object.values(json).filter((part) => Array.isArray(part?.rows)).reduce((n, part) => n + part.rows.length, 0);
  check(shown === rows, `${path} shows the rows of its .json`, `${shown}, not ${rows}`);
  await context.close();
}
for (const path of ["/incidents", "/t/work_items?_size=20", "/t/customers", "/sql?sql=select+1+as+a+union+select+2"]) await twin(path);

// ---- without scripts, and how much the first view weighs

{
  const context = await browser.newContext({ storageState, javaScriptEnabled: false });
  const page = await context.newPage();
  let bytes = 0;
  page.on("response", async (r) => { bytes += gzipSync(await r.body().catch(() => Buffer.alloc(0))).length; });
  await page.goto(base + "/incidents", { waitUntil: "networkidle" });
  check((await page.$$("tbody tr")).length > 0, "a table can be read without scripts");
  check(bytes > 0 && bytes <= 40960, "the first view is at most 40 KB", `${bytes} bytes`);
  await context.close();
}

// ---- keys

{
  const context = await browser.newContext({ storageState });
  const page = await context.newPage();
  await page.goto(base + "/incidents");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  check(await page.$eval("tbody tr", (row) => row.classList.contains("current")), "j and k move through the rows");
  await page.keyboard.press("/");
  check(await page.evaluate(() => document.activeElement.id === "q"), "/ goes to the ask box");
  await page.keyboard.type("jk/");
  check(await page.inputValue("#q") === "jk/", "keys are text while a person types");
  await page.goto(base + "/incidents");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/incidents\/[0-9a-f-]{36}/);
  check(true, "Enter opens the row");
  await context.close();
}

// ---- what came from elsewhere is text

{
  const context = await browser.newContext({ storageState });
  const page = await context.newPage();
  await page.goto(base + "/t/customers");
  check((await page.textContent("table")).includes(facts.hostile), "markup in a name is shown as text");
  check(await page.evaluate(() => globalThis.hacked === undefined), "markup in a name is not run");
  await context.close();
}

await browser.close();
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed ? 1 : 0);
