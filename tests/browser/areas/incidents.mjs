// The list of incidents, one incident, and the keys that work on every list.
export const pages = ({ incident }) => [{ path: "/incidents", rows: true }, `/incidents/${incident}`];

export const checks = [
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
