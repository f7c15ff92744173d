// The list of incidents, one incident, and the keys that work on every list.
export const pages = ({ incident }) => [{ path: "/incidents", rows: true }, `/incidents/${incident}`];

export const checks = [
  // I1, I3, I5, I7, I8: rows of customers, a reason for each, totals by currency, CSV, and what was known before.
  ["impact", async ({ page, base, facts, context, check }) => {
    const path = `/incidents/${facts.incident}`;
    await page.goto(base + path);
    const rows = await page.$$eval("section[aria-labelledby=customers] tbody tr", (all) => all.map((r) => r.innerText));
    const { impact } = await (await context.request.get(`${base}${path}.json`)).json();
    check(rows.length === impact.customers.length && rows.length > 0, "a row for each customer");
    check((await page.$$("section[aria-labelledby=customers] tbody details.why li")).length >= rows.length, "each row has a reason");
    check((await page.$$("figure svg a")).length === 1 + impact.services.length + Math.min(14, impact.customers.length),
      "the picture has a box for the incident, each service and each customer");
    const money = await page.textContent("dl.facts:below(#impact)");
    check(impact.totals.revenue.every((r) => money.includes(r.currency)), "a total for each currency");
    const csv = await (await context.request.get(`${base}${path}.csv`)).text();
    check(csv.startsWith("incident_title,severity") && csv.split("\n").length > rows.length, "the rows as CSV");
    await page.goto(`${base}${path}?_asof=2020-01-01T00:00:00Z`);
    check((await page.textContent("main")).length > 0 && (await page.$$("section[aria-labelledby=customers] tbody tr")).length === 0,
      "before anything was stored, nothing was known");
  }],
  ["keys", async ({ page, base, check }) => {
    await page.goto(base + "/incidents");
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("k");
    check(await page.$eval("tbody tr", (row) => row.classList.contains("current")), "j and k move through the rows");
    await page.keyboard.press("/");
    await page.keyboard.type("jk/");
    check(await page.inputValue("#q") === "jk/", "keys are text while a person types");
    await page.goto(base + "/incidents");
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/incidents\/[0-9a-f-]{36}/);
    check(true, "Enter opens the row");
  }],
];
export const shots = ({ incident }) => ({ incidents: "/incidents", incident: `/incidents/${incident}` });
