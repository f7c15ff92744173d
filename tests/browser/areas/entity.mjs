// One record: fields with what set them, relations, history, the difference of two revisions.
export const pages = ({ incident }) => [`/e/${incident}`];

export const checks = [
  ["history", async ({ page, context, base, facts, check }) => {
    await page.goto(`${base}/e/${facts.incident}`);
    const json = await (await context.request.get(`${base}/e/${facts.incident}.json`)).json();
    check((await page.innerText("h1")) === json.fields.title, "E1: the title is the record's");
    check((await page.$$(".revisions>li")).length === json.history.list.length, "X1: the page has the revisions of its .json");
    const refs = json.fields.list.filter((field) => field.refs?.length);
    const text = await page.innerText(".fields");
    check(refs.length > 0 && refs.every((field) => field.refs.every((ref) => text.includes(ref.name))), "E2: references are names");
    check((await page.$$eval(".source pre", (all) => all.map((pre) => pre.textContent).join())).includes("wellhead topics read"), "E5: a command fetches the raw event");
    if (json.history.list.length > 1) {
      await Promise.all([page.waitForURL(/\/diff\?/), page.click(".compare button")]);
      check((await page.$$("main h1")).length === 1, "E4: two revisions are compared");
    }
  }],
];
export const shots = ({ incident }) => ({ entity: `/e/${incident}` });
