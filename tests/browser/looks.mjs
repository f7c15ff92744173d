// What holds for every page (the statements are those of the list of page requirements):
//   X1  the .json twin has the rows that the page shows
//   X4  no request leaves the origin, nothing is on the console, no dialog opens
//   X5  without scripts the same tables can be read
//   X6  axe-core finds nothing, light and dark, at 320 and 1280 px, and nothing is wider than the window
//   X7  the first view is at most 40 KB compressed
//   X9  it says how fresh it is
//   X10 / goes to the box in the head
// Each page is loaded twice, with and without scripts; its looks are switched in the loaded page.
import { gzipSync } from "node:zlib";

const FIRST_VIEW_BYTES = 40960;
const LOOKS = ["light", "dark"].flatMap((colorScheme) => [1280, 320].map((width) => ({ colorScheme, width })));

const rowsOf = (page) => page.$$eval("tbody tr", (rows) => rows.length);

async function axe({ AxeBuilder, check }, page, path) {
  for (const { colorScheme, width } of LOOKS) {
    const name = `${colorScheme} ${width}`;
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    const found = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]).analyze();
    check(found.violations.length === 0, `axe, ${path}, ${name}`,
      found.violations.map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 160)}`).join("; "));
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    check(wide <= 0, `${path} fits ${name}`, `${wide} px too wide`);
  }
}

async function withScripts(given, path) {
  const { browser, storageState, base, check } = given;
  const context = await browser.newContext({ storageState, viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const foreign = [];
  const errors = [];
  const bodies = [];
  page.on("request", (r) => { if (!r.url().startsWith(base) && !r.url().startsWith("data:")) foreign.push(r.url()); });
  page.on("console", (m) => { if (m.type() === "error" && !m.text().includes("status of 4")) errors.push(m.text()); });
  page.on("pageerror", (e) => errors.push(e.message));
  page.on("dialog", (d) => { errors.push(`a dialog opened: ${d.message()}`); d.dismiss(); });
  page.on("response", (r) => bodies.push(r.body().catch(() => Buffer.alloc(0))));
  await page.goto(base + path, { waitUntil: "load" });
  const bytes = (await Promise.all(bodies)).reduce((n, body) => n + gzipSync(body).length, 0);
  check(bytes > 0 && bytes <= FIRST_VIEW_BYTES, `the first view of ${path} is at most 40 KB`, `${bytes} bytes`);
  check(/Data as of .*, sequence \d+/.test(await page.textContent("footer")), `${path} says how fresh it is`);
  await page.keyboard.press("/");
  check(await page.evaluate(() => document.activeElement?.id === "q"), `/ goes to the box, ${path}`);
  await page.evaluate(() => document.activeElement.blur());
  const shown = await rowsOf(page);
  await axe(given, page, path);
  check(foreign.length === 0, `no request of ${path} leaves the origin`, foreign[0]);
  check(errors.length === 0, `no error on the console, ${path}`, errors[0]);
  await context.close();
  return shown;
}

// Rows of all parts, as the page shows them.
async function twin({ base, check }, page, path, shown) {
  const [plain, query] = path.split("?");
  const json = await (await page.context().request.get(`${base}${plain === "/" ? "/index" : plain}.json${query ? `?${query}` : ""}`)).json();
  const rows = Object.values(json).filter((part) => Array.isArray(part?.rows)).reduce((n, part) => n + part.rows.length, 0);
  check(shown === rows, `${path} shows the rows of its .json`, `${shown}, not ${rows}`);
}

export async function look(given) {
  const context = await given.browser.newContext({ storageState: given.storageState, javaScriptEnabled: false });
  const plain = await context.newPage();
  for (const { path, rows } of given.pages) {
    const shown = await withScripts(given, path);
    await plain.goto(given.base + path);
    const read = await rowsOf(plain);
    given.check(read === shown && (await plain.textContent("main")).trim().length > 0, `${path} can be read without scripts`,
      `${read} rows, with scripts ${shown}`);
    if (rows) await twin(given, plain, path, read);
  }
  await context.close();
}
