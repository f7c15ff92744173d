// What holds for every page (the statements are those of the list of page requirements):
//   X1  the .json twin has the rows that the page shows
//   X4  no request leaves the origin, nothing is on the console, no dialog opens
//   X5  without scripts the same tables can be read
//   X6  axe-core finds nothing, light and dark, at 320 and 1280 px, and nothing is wider than the window
//   X7  the first view is at most 40 KB compressed
//   X10 the keyboard reaches the main part, and / goes to the box in the head
import { gzipSync } from "node:zlib";

const FIRST_VIEW_BYTES = 40960;

async function eachPage({ browser, base, storageState, pages, check, AxeBuilder }, colorScheme, width) {
  const context = await browser.newContext({ storageState, colorScheme, viewport: { width, height: 900 } });
  const page = await context.newPage();
  const foreign = [];
  const errors = [];
  const name = `${colorScheme} ${width}`;
  page.on("request", (r) => { if (!r.url().startsWith(base) && !r.url().startsWith("data:")) foreign.push(r.url()); });
  page.on("console", (m) => { if (m.type() === "error" && !m.text().includes("status of 4")) errors.push(m.text()); });
  page.on("pageerror", (e) => errors.push(e.message));
  page.on("dialog", (d) => { errors.push(`a dialog opened: ${d.message()}`); d.dismiss(); });
  for (const { path } of pages) {
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

const rowsOf = (page) => page.$$eval("tbody tr", (rows) => rows.length);

// Rows of all parts, as the page shows them.
async function twin({ base, check }, page, path, shown) {
  const [plain, query] = path.split("?");
  const json = await (await page.context().request.get(`${base}${plain === "/" ? "/index" : plain}.json${query ? `?${query}` : ""}`)).json();
  const rows = Object.values(json).filter((part) => Array.isArray(part?.rows)).reduce((n, part) => n + part.rows.length, 0);
  check(shown === rows, `${path} shows the rows of its .json`, `${shown}, not ${rows}`);
}

async function weight(given, path) {
  const context = await given.browser.newContext({ storageState: given.storageState });
  const page = await context.newPage();
  const bodies = [];
  page.on("response", (r) => bodies.push(r.body().catch(() => Buffer.alloc(0))));
  await page.goto(given.base + path, { waitUntil: "load" });
  const bytes = (await Promise.all(bodies)).reduce((n, body) => n + gzipSync(body).length, 0);
  given.check(bytes > 0 && bytes <= FIRST_VIEW_BYTES, `the first view of ${path} is at most 40 KB`, `${bytes} bytes`);
  await page.keyboard.press("/");
  given.check(await page.evaluate(() => document.activeElement?.id === "q"), `/ goes to the box, ${path}`);
  await page.evaluate(() => document.activeElement.blur());
  const shown = await rowsOf(page);
  await context.close();
  return shown;
}

async function withoutScripts(given) {
  const context = await given.browser.newContext({ storageState: given.storageState, javaScriptEnabled: false });
  const page = await context.newPage();
  for (const { path, rows } of given.pages) {
    const shown = await weight(given, path);
    await page.goto(given.base + path);
    const plain = await rowsOf(page);
    given.check(plain === shown && (await page.textContent("main")).trim().length > 0, `${path} can be read without scripts`,
      `${plain} rows, with scripts ${shown}`);
    if (rows) await twin(given, page, path, plain);
  }
  await context.close();
}

export async function look(given) {
  for (const colorScheme of ["light", "dark"]) for (const width of [320, 1280]) await eachPage(given, colorScheme, width);
  await withoutScripts(given);
}
