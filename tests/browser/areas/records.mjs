// Tables of records: the page is its .json cell by cell, filters, facets, columns, links that do not move, and names
// from elsewhere in them.
export const pages = () => [
  { path: "/t/work_items?state=opened&created_at__gte=-900d&_size=20", rows: true }, { path: "/t/customers", rows: true },
  { path: "/t/incident_impact", rows: true }, "/t/customers?name=nobody", "/views",
];

const twinOf = (path) => path.replace(/^([^?]*)/, "$1.json");
const bodyOf = (page) => page.$$eval("tbody tr", (rows) => rows.map((row) => [...row.cells].map((cell) => [cell.dataset.column, cell.innerText.trim()])));
const shownAs = (value) => (value === null ? "–" : Array.isArray(value) ? value.join(", ") : value === true ? "yes" : value === false ? "no" : String(value));

async function jsonOf({ context, base }, path) {
  return (await context.request.get(base + twinOf(path))).json();
}

// X1: texts as they are; times to the minute, states with a shape in front, addresses as "source".
function same(cell, text, value) {
  const expected = shownAs(value);
  if (/^\d{4}-\d\d-\d\dT.*Z$/.test(expected)) return text.startsWith(`${expected.slice(0, 10)} ${expected.slice(11, 16)}`);
  if (["state", "status", "severity"].includes(cell)) return text.endsWith(expected);
  return cell === "url" && value ? text === "source" : text.replace(/\s+/g, " ") === expected.replace(/\s+/g, " ").trim();
}

async function rowIds({ page, context, base }, path) {
  await page.goto(base + path);
  const { list } = await jsonOf({ context, base }, path);
  return list.rows.map((row) => row.id).join();
}

export const checks = [
  ["hostile names", async ({ page, base, facts, check }) => {
    await page.goto(base + "/t/customers");
    check((await page.textContent("table")).includes(facts.hostile), "markup in a name is shown as text");
    check(await page.evaluate(() => globalThis.hacked === undefined), "markup in a name is not run");
  }],
  ["X1", async (t) => {
    for (const path of ["/t/work_items?_size=30", "/t/incident_impact?_size=30", "/t/deployments?_size=30"]) {
      await t.page.goto(t.base + path);
      const { list } = await jsonOf(t, path);
      const body = await bodyOf(t.page);
      const wrong = body.flatMap((cells, i) => cells.filter(([column, text]) => !same(column, text, list.rows[i]?.[column])).map((c) => `row ${i}: ${c}`));
      t.check(body.length === list.rows.length && wrong.length === 0, `X1: ${path} is its .json cell by cell`, wrong.slice(0, 3).join("; "));
    }
  }],
  ["X2", async (t) => {
    const path = "/t/work_items?type=issue&_sort=title&_col=title&_col=state&_size=15";
    await t.page.goto(t.base + path);
    const first = JSON.stringify(await bodyOf(t.page));
    const fresh = await t.browser.newContext({ storageState: t.storageState });
    const other = await fresh.newPage();
    await other.goto(t.base + path);
    t.check(first === JSON.stringify(await bodyOf(other)), "X2: the address holds all state");
    await fresh.close();
  }],
  ["filters", async ({ page, base, check }) => {
    await page.goto(base + "/t/work_items");
    await page.click("summary.add");
    await page.selectOption("[data-filter-column]", "title");
    check(await page.$eval('[data-filter-op] option[value="arraycontains"]', (o) => o.disabled), "comparisons fit the column");
    await page.selectOption("[data-filter-op]", "contains");
    await page.fill("[name=_filter_value]", "e");
    await Promise.all([page.waitForURL(/title__contains=e/), page.click("form.filter button:has-text('Add')")]);
    check((await page.$$(".chip")).length === 1, "a filter is a chip");
    await Promise.all([page.waitForNavigation(), page.click(".chip a")]);
    check((await page.$$(".chip")).length === 0 && !page.url().includes("title__contains"), "a chip can be removed");
  }],
  ["facets", async ({ page, base, check }) => {
    await page.goto(base + "/t/work_items");
    const facet = page.locator(".facets a").first();
    const partial = (await page.$$(".facets .notice")).length > 0; // the machine was too busy to count them all
    const n = Number(await facet.locator("small").innerText());
    await Promise.all([page.waitForNavigation(), facet.click()]);
    check(partial || (await page.innerText(".count")).startsWith(`${n} row`), "T1: the number of a facet is that of its rows", await page.innerText(".count"));
    check((await page.$$(".facets .selected")).length === 1, "the chosen value is marked");
  }],
  ["columns without scripts", async ({ browser, storageState, base, check }) => {
    const context = await browser.newContext({ storageState, javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(base + "/t/customers?_col=id&_col=name");
    await page.click("summary:has-text('Columns')");
    await page.check("form.columns input[value=region]");
    await Promise.all([page.waitForNavigation(), page.click("form.columns button")]);
    check((await page.$$eval("thead th", (heads) => heads.map((h) => h.textContent))).join() === "name,region", "columns are chosen without scripts");
    await context.close();
  }],
  ["sorting and pages", async ({ page, base, check }) => {
    await page.goto(base + "/t/work_items?_size=10&_col=id&_col=title");
    await Promise.all([page.waitForNavigation(), page.click("thead a")]);
    check((await page.getAttribute("thead th", "aria-sort")) === "ascending", "a column's head sorts");
    const seen = new Set();
    for (let i = 0; i < 3; i += 1) {
      for (const href of await page.$$eval("tbody a", (links) => links.map((a) => a.href))) seen.add(href);
      await Promise.all([page.waitForNavigation(), page.click("a[rel=next]")]);
    }
    check(seen.size === 30, "pages do not repeat rows", String(seen.size));
  }],
  ["T4 and X3", async (t) => {
    const path = "/t/work_items?state=opened&_size=10&_col=id&_col=title";
    const ids = await rowIds(t, path);
    await Promise.all([t.page.waitForNavigation(), t.page.click("a:has-text('Show SQL')")]);
    t.check((await t.page.$$("tbody tr")).length === ids.split(",").length, "T4: the SQL has the same rows");
    await t.page.goto(t.base + path);
    const link = await t.page.getAttribute("[data-copy]", "href");
    t.check(link.includes("_asof=") && (await rowIds(t, link)) === ids, "X3: a copied link has the same rows", link);
  }],
  ["T5", async ({ page, base, check }) => {
    await page.goto(base + "/t/issues?state=opened&_size=10");
    await page.click("summary:has-text('Views')");
    await page.fill(".panel [name=name]", "Open issues");
    await Promise.all([page.waitForNavigation(), page.click(".panel button:has-text('Save')")]);
    check(page.url().endsWith("/t/issues?state=opened&_size=10"), "T5: saving a view leads back to it", page.url());
    check((await page.innerText("nav.main")).includes("Open issues"), "T5: a saved view is in the navigation");
    await page.goto(base + "/views");
    await Promise.all([page.waitForNavigation(), page.click("[aria-label='Delete the view Open issues']")]);
    check(!(await page.innerText("main")).includes("Open issues"), "T5: a saved view can be deleted");
  }],
  ["X8", async ({ page, base, check }) => {
    const texts = [];
    for (const path of ["/t/customers?name=nobody", "/t/people_review?rule=none"]) {
      await page.goto(base + path);
      texts.push(await page.innerText(".empty h2"));
    }
    check(texts.every((text) => text.includes("No row matches")), "X8: what filters leave out is said", texts.join());
  }],
];
export const shots = () => ({ records: "/t/work_items?_size=20" });
