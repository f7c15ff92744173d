// Connections: what they show, a connect by approval, and how one ends.
export const pages = ({ connection }) => ["/connections", `/connections/${connection}`, "/connections/no-such"];
export const shots = ({ connection }) => ({ connections: "/connections", connection: `/connections/${connection}` });

export const checks = [
  // N3, and the connect flow: address in, approval in a new tab, steps as they happen.
  ["connect", async ({ page, context, base, facts, check }) => {
    await page.goto(base + "/connections");
    await page.fill("#url", "not an address, and no GitLab");
    await page.$eval("#url", (box) => { box.type = "text"; });
    await page.click("button:text('Connect')");
    check((await page.textContent("[role=alert]")).includes("refuses"), "a wrong address is refused on the page");
    await page.fill("#url", facts.gitlab);
    await page.click("button:text('Connect')");
    await page.waitForURL(/\/connects\/[0-9a-f]+$/);
    const link = await page.waitForSelector("a:text('Approve at GitLab')");
    const [tab] = await Promise.all([context.waitForEvent("page"), link.click()]);
    await tab.waitForURL(/\/oauth\/callback/);
    await page.waitForSelector("a:text('See how it is read')");
    check((await page.$$("ol li")).length > 2, "the steps are listed");
    await page.click("a:text('See how it is read')");
    await page.waitForURL(/\/connections\/[a-z0-9-]+$/);
    check((await page.textContent("dl.facts")).includes("OAuth"), "the connection uses the approval");
  }],
  ["actions", async ({ page, base, facts, check }) => {
    await page.goto(`${base}/connections/${facts.connection}`);
    await page.click("button:text('Read now')");
    check(page.url().endsWith(facts.connection), "a run is asked for from the page");
    await page.click("summary:text('Disconnect')");
    await page.fill("#d-name", "something else");
    await page.click("button:text('Disconnect')");
    check((await page.textContent("[role=alert]")).includes("nothing was done"), "a wrong name ends no connection");
  }],
  // Another site cannot send the form.
  ["forged form", async ({ context, base, facts, check }) => {
    for (const origin of ["https://evil.example.com", "null"]) {
      const answer = await context.request.post(`${base}/connections/${facts.connection}`,
        { form: { do: "sync" }, headers: { origin }, maxRedirects: 0 });
      check(answer.status() === 401, `a form from ${origin} is refused`, `${answer.status()}`);
    }
  }],
];
