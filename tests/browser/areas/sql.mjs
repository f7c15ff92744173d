// One statement and its rows.
export const pages = () => ["/sql", { path: "/sql?sql=select+type,+count(*)+as+n+from+work_items+group+by+1", rows: false },
  "/sql?sql=select+:a+as+a&a=1", "/sql?sql=drop+table+x"];
export const shots = () => ({ sql: "/sql?sql=select+type,+state,+count(*)+as+n+from+work_items+where+state+%3D+:state+group+by+1,+2&state=opened" });

export const checks = [
  // Q1, Q4, Q5
  ["parameters", async ({ page, base, check }) => {
    await page.goto(base + "/sql");
    await page.fill("#sql", "select :first as a, ':no' as b, :second as c -- :neither\n");
    await page.press("#sql", "Control+Enter");
    await page.waitForSelector("#p-first");
    check((await page.$$("[id^=p-]")).length === 2, "parameters outside of texts and comments become fields");
    await page.fill("#p-first", "<b>one</b>");
    await page.fill("#p-second", "2");
    await page.press("#p-second", "Control+Enter");
    await page.waitForSelector("td:text('<b>one</b>')");
    check((await page.$("summary:text('How it was read')")) !== null, "the page shows the plan");
    check((await page.textContent("[role=status]")).includes("1 rows in"), "the page says how long it took");
    await page.goto(`${base}/sql?sql=select+*+from+jobs&_size=2`);
    check((await page.textContent("main")).includes("there are more"), "a cut answer says so");
  }],
  ["stored queries", async ({ page, base, check }) => {
    await page.goto(base + "/sql");
    const n = (await page.$$("ul.queries button")).length;
    for (let i = 0; i < n; i++) {
      await page.goto(base + "/sql");
      await (await page.$$("ul.queries button"))[i].click();
      await page.waitForLoadState();
      if (await page.$("#p-project")) {
        await page.fill("#p-project", "acme/web-shop");
        await page.press("#p-project", "Enter");
        await page.waitForLoadState();
      }
      check((await page.$("[role=alert]")) === null, `stored query ${i} runs`, await page.inputValue("#sql"));
    }
    check(n > 5, "there are stored queries");
  }],
];
