// Tables of records, and names from elsewhere in them.
export const pages = () => [{ path: "/t/work_items?_size=20", rows: true }, { path: "/t/customers", rows: true }];

export const checks = [
  ["hostile names", async ({ page, base, facts, check }) => {
    await page.goto(base + "/t/customers");
    check((await page.textContent("table")).includes(facts.hostile), "markup in a name is shown as text");
    check(await page.evaluate(() => globalThis.hacked === undefined), "markup in a name is not run");
  }],
];
export const shots = () => ({ records: "/t/work_items?_size=20" });
