// Charts: the board, one measure, the rows behind a number.
const since = "since=2026-01-01";

export const pages = () => ["/charts", "/charts/merge_requests_merged?by=project",
  { path: "/rows/merge_requests_merged?since=-4w", rows: true }, "/charts/issues_opened?since=2001-01-01&until=2001-02-01",
  "/charts/new?table=jobs&measure=p90&column=duration&by=stage&since=-26w"];

export const checks = [
  // C2: what a number says is what its rows are, for every cell of a table.
  ["numbers lead to their rows", async ({ page, base, check }) => {
    await page.goto(`${base}/charts/merge_requests_merged?${since}&over=month&by=project`);
    const cells = await page.$$eval("tbody td a", (links) => links.map((a) => [a.getAttribute("href"), Number(a.textContent)]));
    check(cells.length > 5, "a table has numbers that are links", `${cells.length}`);
    for (const [href, n] of cells.slice(0, 12)) {
      const json = await (await page.context().request.get(base + href.replace("?", ".json?"))).json();
      check(json.result.rows.length === n, `${href} has ${n} rows`, `${json.result.rows.length}`);
    }
  }],
  ["a bar leads to its rows", async ({ page, base, check }) => {
    await page.goto(`${base}/charts/merge_requests_merged?${since}&over=month`);
    const link = page.locator("svg.chart a").first();
    const text = await link.locator("title").textContent();
    await link.click();
    await page.waitForURL(/\/rows\/merge_requests_merged/);
    const n = Number(text.match(/: ([\d,]+)/)[1].replace(",", ""));
    check((await page.$$("tbody tr")).length === n, `the bar "${text}" leads to ${n} rows`);
    await page.click("text=Open as SQL");
    await page.waitForURL(/\/sql\?/);
    check((await page.$$("tbody tr")).length === n, "the same rows are a statement on the page for SQL");
  }],
  // C3
  ["a figure has a title, a description and a table", async ({ page, base, check }) => {
    await page.goto(`${base}/charts/time_to_merge?${since}`);
    const svg = page.locator("figure svg.chart");
    check((await svg.getAttribute("aria-labelledby")) && (await page.locator("figure svg title").first().textContent()) === "Time to merge",
      "the chart has a title");
    check((await page.locator("figure svg desc").textContent()).includes("The table has all numbers"), "and a description");
    check((await page.$$("figure table tbody tr")).length > 10, "and a table beside it");
    const csv = await page.context().request.get(`${base}/charts/time_to_merge.csv?${since}`);
    check((await csv.text()).startsWith("since,until,rows,p50,p90,mean"), "and a CSV file");
  }],
];
export const shots = () => ({ charts: "/charts", chart: "/charts/time_to_merge?since=-26w" });
